"""What is known of one model: what it can do and how it wants to be asked."""

from dataclasses import dataclass
from typing import Final

from trunkline.v1 import Capabilities, Feature, Modality, ReasoningEffort


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Resolved once for each target. The defaults are what may be expected of a model of which nothing is known.

    A dialect reads it to spell a request as this model takes it, the plan to pass over models that cannot do what a
    request needs.
    """

    known: bool = False
    """Whether the model, or its family, is in the data or described in the configuration. What is not known is not
    held against a model: it is asked, and its provider decides."""
    max_input_tokens: int | None = None
    """Its context window: most input tokens. None: not known."""
    max_output_tokens: int | None = None
    """Most output tokens. None: not known."""
    features: frozenset["Feature.ValueType"] = frozenset()
    """What it can do, as `Model.capabilities` shows it. Means nothing unless `known`."""
    unsure: frozenset["Feature.ValueType"] = frozenset()
    """What it is not known to be able to do, nor to be unable: neither `can` nor `cannot`."""
    input_modalities: frozenset["Modality.ValueType"] = frozenset()
    """What input may consist of. Empty: not known. Means nothing unless `known`."""
    output_modalities: frozenset["Modality.ValueType"] = frozenset()
    """What output may consist of. Empty: not known. Means nothing unless `known`."""
    reasoning_efforts: tuple["ReasoningEffort.ValueType", ...] = ()
    """Efforts it takes, from least to most. Empty: it does not reason, or not known."""
    family: str = ""
    """Models of one family, whoever serves them, can read each other's reasoning state. Empty: not known."""
    owner: str = ""
    """Who makes it, such as "anthropic". Empty: not known."""
    display_name: str = ""
    """Its name for people. Empty: its id serves."""
    created_at_ms: int = 0
    """When it was made, Unix milliseconds. 0: not known."""
    shutdown_at_ms: int = 0
    """When its provider shuts it down, Unix milliseconds. 0: not announced."""

    dialect: str = ""
    """The wire language that its provider wants it spoken to in, where it serves several. Empty: its kind's."""

    def can(self, feature: "Feature.ValueType") -> bool:
        """Whether it can do this, as far as is known; what is not known of it is no."""
        return feature in self.features

    def cannot(self, feature: "Feature.ValueType") -> bool:
        """Whether it is known that it cannot do this."""
        return self.known and feature not in self.features and feature not in self.unsure

    def takes(self, modality: "Modality.ValueType") -> bool:
        """Whether input may consist of this, unless it is known that it may not."""
        return not self.known or not self.input_modalities or modality in self.input_modalities

    def gives(self, modality: "Modality.ValueType") -> bool:
        """Whether output may consist of this, unless it is known that it may not."""
        return not self.known or not self.output_modalities or modality in self.output_modalities

    def capabilities(self) -> Capabilities | None:
        """As clients see them. None: nothing is known."""
        if not self.known and self.max_input_tokens is None and self.max_output_tokens is None:
            return None
        return Capabilities(
            max_input_tokens=self.max_input_tokens,
            max_output_tokens=self.max_output_tokens,
            input_modalities=sorted(self.input_modalities),
            output_modalities=sorted(self.output_modalities),
            features=sorted(self.features),
            reasoning_efforts=self.reasoning_efforts,
            services=("completion",) if self.known else (),
        )


UNKNOWN_MODEL: Final = ModelFacts()
"""What is known of a model that nobody has described."""
