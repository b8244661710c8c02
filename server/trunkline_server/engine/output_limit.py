"""Keeps a request within what its target's model can give."""

from trunkline.v1 import CompleteRequest, NoteAction, TranslationNote
from trunkline_server.providers.target import Target


def within_limit(request: CompleteRequest, target: Target) -> tuple[CompleteRequest, TranslationNote | None]:
    """The request, asking for no more output than the model is known to give, and a note if it asked for more.

    Vendors refuse such a request, though nothing is lost by asking for less.
    """
    limit = target.facts.max_output_tokens
    if limit is None or request.max_output_tokens <= limit:
        return request, None
    reason = f"the model gives {limit} tokens at most"
    found = CompleteRequest()
    found.CopyFrom(request)
    found.max_output_tokens = limit
    note = TranslationNote(
        field="max_output_tokens", action=NoteAction.NOTE_ACTION_REWRITTEN, reason=reason, sent=str(limit)
    )
    return found, note
