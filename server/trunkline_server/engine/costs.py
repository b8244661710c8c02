"""What an attempt cost: its target's prices times what it used."""

from trunkline.v1 import Attempt, CompleteRequest, Cost, NoteAction, Usage
from trunkline_server.providers.target import Target


def cost_of(
    target: Target, request: CompleteRequest, report: Attempt, usage: Usage, served_tier: str, at_s: float
) -> Cost | None:
    """The cost of `usage`; None: that is not known, which is never the same as 0. `at_s` is when the request came."""
    if target.prices is None:
        return None
    return target.prices.cost(usage, served_tier or _asked_tier(request, report), at_s)


def _asked_tier(request: CompleteRequest, report: Attempt) -> str:
    """The service tier that was asked for, where the provider did not tell which it served."""
    if not request.service_tier:
        return ""
    for note in report.notes:
        if note.field == "service_tier" and note.action != NoteAction.NOTE_ACTION_EMULATED:
            return note.sent
    return request.service_tier
