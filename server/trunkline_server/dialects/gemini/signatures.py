"""Thought signatures: what Gemini must see again of an earlier answer, and what stands in for it where it is missing.

https://ai.google.dev/gemini-api/docs/thought-signatures: each part goes back with the signature that it came with.
Gemini 3 refuses a request whose current turn, which is what follows the last words of the user, holds a step whose first
call has none; for calls that it never made there is a signature of Google's that is let pass.
"""

import base64
import binascii
from typing import Final

from trunkline.v1 import Part, StateKind
from trunkline_server.dialects.gemini.generation import generation_of
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.own_state import is_only_id, is_own
from trunkline_server.dialects.translation import Translation

MEMBER: Final = "thoughtSignature"

STAND_IN: Final = base64.b64encode(b"skip_thought_signature_validator").decode()
"""The signature that Google lets pass for calls of other models."""

_URL_SAFE: Final = str.maketrans("-_", "+/")


def put_signature(wire: Json, part: Part, path: str, translation: Translation) -> None:
    """Gives a part the signature that it came with, if it came from the target."""
    if not part.HasField("state") or is_only_id(part):
        return
    if part.state.kind != StateKind.STATE_KIND_GEMINI_THOUGHT_SIGNATURE:
        translation.drop(f"{path}.state", "only the provider that made it reads it")
    elif not is_own(part, translation):
        translation.drop(f"{path}.state", "another model made it")
    elif part.state.data:
        wire[MEMBER] = base64.b64encode(part.state.data).decode()


def sign_steps(steps: list[tuple[Json, str]], translation: Translation) -> None:
    """Gives the first call of each step a stand-in if it has no signature and the model insists on one.

    `steps` are the first calls of the current turn's steps, as wire parts, with the fields that they came from.
    """
    if not generation_of(translation.target).signs_calls:
        return
    for wire, path in steps:
        if MEMBER not in wire:
            wire[MEMBER] = STAND_IN
            translation.emulate(
                f"{path}.state", "the model wants its signature on calls: Google's stand-in is sent", MEMBER
            )


def read_signature(text: str) -> bytes | None:
    """The bytes of a signature, which comes in either of base64's alphabets; None if it is no base64."""
    padded = text.translate(_URL_SAFE)
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
