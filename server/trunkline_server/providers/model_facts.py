"""What is known of one model: what it can do and how it wants to be asked."""

from dataclasses import dataclass
from typing import Final

from trunkline.v1 import Feature, Modality, ReasoningEffort


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
    input_modalities: frozenset["Modality.ValueType"] = frozenset()
    """What input may consist of. Means nothing unless `known`."""
    output_modalities: frozenset["Modality.ValueType"] = frozenset()
    """What output may consist of. Means nothing unless `known`."""
    reasoning_efforts: tuple["ReasoningEffort.ValueType", ...] = ()
    """Efforts it takes, from least to most. Empty: it does not reason, or not known."""

    def can(self, feature: "Feature.ValueType") -> bool:
        """Whether it can do this, as far as is known; what is not known of it is no."""
        return feature in self.features

    def cannot(self, feature: "Feature.ValueType") -> bool:
        """Whether it is known that it cannot do this."""
        return self.known and feature not in self.features


UNKNOWN_MODEL: Final = ModelFacts()
"""What is known of a model that nobody has described."""
