"""Ids for calls whose vendor gave none."""

import hashlib


def made_call_id(answer_id: str, choice: int, call: int) -> str:
    """The same for the same call of the same answer, another for any other. `call` counts the calls of the choice."""
    digest = hashlib.blake2b(f"{answer_id}/{choice}/{call}".encode(), digest_size=12)
    return f"call_{digest.hexdigest()}"
