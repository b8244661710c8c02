"""What the attempts that gave parts of one answer used and cost together."""

from collections.abc import Sequence

from trunkline.v1 import Cost, CostSource, ModalityTokens, Usage

_COUNTS = (
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
    "tool_input_tokens",
)
_SPLITS = ("input_by_modality", "output_by_modality", "cache_read_by_modality")
_MODALITIES = ("text", "image", "audio", "video", "document")


def sum_usage(usages: Sequence[Usage]) -> Usage:
    """The sum. It is estimated if any part is; a count that some part does not tell is the sum of those that do.

    The providers' own objects (`native`) have no sum; each attempt keeps its own.
    """
    total = Usage()
    writes: dict[int, int] = {}
    for usage in usages:
        total.input_tokens += usage.input_tokens
        total.output_tokens += usage.output_tokens
        total.estimated = total.estimated or usage.estimated
        for name in _COUNTS:
            if usage.HasField(name):  # type: ignore[arg-type]  # wants a literal; the names stand in the table above
                setattr(total, name, getattr(total, name) + getattr(usage, name))
        for name in _SPLITS:
            if usage.HasField(name):  # type: ignore[arg-type]  # as above
                _add_split(getattr(total, name), getattr(usage, name))
        for write in usage.cache_writes:
            writes[write.ttl_s] = writes.get(write.ttl_s, 0) + write.tokens
        for tool, calls in usage.server_tool_calls.items():
            total.server_tool_calls[tool] += calls
    for ttl_s, tokens in writes.items():
        total.cache_writes.add(ttl_s=ttl_s, tokens=tokens)
    return total


def sum_cost(costs: Sequence[Cost]) -> Cost | None:
    """The sum; None if the cost of any part is not known, because a sum without it would be too low."""
    if not costs or not all(cost.HasField("nano_usd") for cost in costs):
        return None
    total = Cost(nano_usd=sum(cost.nano_usd for cost in costs), price_version=costs[-1].price_version)
    sources = {cost.source for cost in costs}
    # Of different sources the least certain one stands for all.
    total.source = max(sources) if len(sources) > 1 else sources.pop()
    if all(cost.HasField("input_nano_usd") and cost.HasField("output_nano_usd") for cost in costs):
        total.input_nano_usd = sum(cost.input_nano_usd for cost in costs)
        total.output_nano_usd = sum(cost.output_nano_usd for cost in costs)
    if CostSource.COST_SOURCE_UNSPECIFIED in sources:
        total.source = CostSource.COST_SOURCE_UNSPECIFIED
    return total


def _add_split(total: ModalityTokens, split: ModalityTokens) -> None:
    for name in _MODALITIES:
        if split.HasField(name):  # type: ignore[arg-type]  # wants a literal; the names stand in the table above
            setattr(total, name, getattr(total, name) + getattr(split, name))
