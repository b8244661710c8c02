"""Which traces are recorded: OpenTelemetry's samplers as one comparison."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

logger = logging.getLogger(__name__)

SAMPLER = "OTEL_TRACES_SAMPLER"
SAMPLER_ARG = "OTEL_TRACES_SAMPLER_ARG"

_ID_BITS = 64


@dataclass(frozen=True, slots=True)
class Sampler:
    """Decides as the SDK's sampler of the same settings does, without its spans and contexts."""

    parent_based: bool = True
    """Whether a caller's decision stands."""
    ratio: float = 1.0
    """The share of other traces that is recorded, 0 to 1."""
    keeps_failures: bool = False
    """Whether what the ratio leaves out is recorded all the same if it fails or is slow."""

    def samples(self, trace_id: int, *, parent_sampled: bool | None) -> bool:
        """Whether the trace is recorded; `parent_sampled` is the caller's decision, None without a caller."""
        if self.parent_based and parent_sampled is not None:
            return parent_sampled
        # The low bits, so that everyone who samples this way by the same ratio keeps the same traces.
        return trace_id & ((1 << _ID_BITS) - 1) < round(self.ratio * (1 << _ID_BITS))

    def leaves_open(self, *, parent_sampled: bool | None) -> bool:
        """Whether a trace that is not sampled is left out by chance alone, and not by its caller or the operator."""
        return self.keeps_failures and not (self.parent_based and parent_sampled is not None)


FOLLOW_CALLER = Sampler(ratio=0.0)
"""Passes on what the caller decided and begins nothing: for a process that exports no spans."""

_SAMPLERS = {
    "always_on": Sampler(parent_based=False),
    "always_off": Sampler(parent_based=False, ratio=0.0),
    "parentbased_always_on": Sampler(),
    "parentbased_always_off": FOLLOW_CALLER,
}
_RATIO_SAMPLERS = {"traceidratio": False, "parentbased_traceidratio": True}


def sampler_of(environ: Mapping[str, str], *, keep_failures: bool = True) -> Sampler:
    """The sampler that OTEL_TRACES_SAMPLER and its _ARG name; by default all traces that callers did not decide.

    `keep_failures`: what a ratio leaves out is recorded all the same if it fails or is slow. What it does not know it replaces by the default with a warning, as the SDK does.
    """
    name = environ.get(SAMPLER, "").strip().lower() or "parentbased_always_on"
    if name in _RATIO_SAMPLERS:
        ratio = _ratio(environ.get(SAMPLER_ARG, ""))
        return Sampler(parent_based=_RATIO_SAMPLERS[name], ratio=ratio, keeps_failures=keep_failures)
    if name not in _SAMPLERS:
        logger.warning(
            "%s names no sampler known here; all traces are recorded. Known are %s.",
            SAMPLER,
            ", ".join((*_SAMPLERS, *_RATIO_SAMPLERS)),
        )
        return Sampler(keeps_failures=keep_failures)
    found = _SAMPLERS[name]
    return replace(found, keeps_failures=keep_failures and found.ratio > 0)


def _ratio(text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if 0.0 <= ratio <= 1.0:
        return ratio
    logger.warning("%s is not a number from 0 to 1; all traces are recorded", SAMPLER_ARG)
    return 1.0
