"""What a model name can do: what at least one of its targets can."""

from collections.abc import Sequence

from trunkline.v1 import Capabilities
from trunkline_server.providers.target import Target


def capabilities_of(targets: Sequence[Target]) -> Capabilities | None:
    """The most that any target offers. None: nothing is known of any."""
    found = [each for target in targets if (each := target.facts.capabilities()) is not None]
    if len(found) <= 1:
        return found[0] if found else None
    return Capabilities(
        max_input_tokens=max(
            (each.max_input_tokens for each in found if each.HasField("max_input_tokens")), default=None
        ),
        max_output_tokens=max(
            (each.max_output_tokens for each in found if each.HasField("max_output_tokens")), default=None
        ),
        input_modalities=sorted({each for one in found for each in one.input_modalities}),
        output_modalities=sorted({each for one in found for each in one.output_modalities}),
        features=sorted({each for one in found for each in one.features}),
        reasoning_efforts=sorted({each for one in found for each in one.reasoning_efforts}),
        services=sorted({each for one in found for each in one.services}),
    )
