"""Puts the bytes of images and files in the place of their addresses, for a target that fetches nothing itself."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from trunkline.errors import GatewayError, RequestTooLargeError
from trunkline.v1 import CompleteRequest, Media, NoteAction, Part, TranslationNote

_ADDRESSES: Final = ("https://", "http://")
_KINDS: Final = ("image", "file", "audio", "video")


class Fetcher(Protocol):
    """Gets what lies at an address."""

    async def fetch(self, address: str, field: str) -> Media:
        """Its bytes and type. Raises InvalidRequestError for `field`."""
        ...


class Inlining:
    """What was fetched for one request; another attempt does not fetch it again."""

    __slots__ = ("_fetched", "_fetcher", "_max_bytes")

    def __init__(self, fetcher: Fetcher, *, max_bytes: int) -> None:
        """`max_bytes` of a request, all that is fetched for it together."""
        self._fetcher = fetcher
        self._max_bytes = max_bytes
        self._fetched: dict[str, Media] = {}

    async def of(self, request: CompleteRequest) -> tuple[CompleteRequest, Sequence[TranslationNote]]:
        """The request with bytes only, and notes on what was fetched; the caller's own is not changed.

        Raises InvalidRequestError for what cannot be fetched, RequestTooLargeError if it is too much together.
        """
        await self._fetch({media.url: field for media, field in _addressed(request)})
        found = CompleteRequest()
        found.CopyFrom(request)
        notes = []
        for media, field in _addressed(found):
            fetched = self._fetched[media.url]
            media.data = fetched.data
            media.mime_type = fetched.mime_type
            notes.append(
                TranslationNote(
                    field=field,
                    action=NoteAction.NOTE_ACTION_EMULATED,
                    reason="the provider takes bytes only: the gateway fetched them",
                )
            )
        return found, notes

    async def _fetch(self, fields: Mapping[str, str]) -> None:
        missing = [address for address in fields if address not in self._fetched]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    address: group.create_task(self._fetcher.fetch(address, fields[address])) for address in missing
                }
        except* GatewayError as errors:
            raise _first(errors) from None
        self._fetched.update((address, task.result()) for address, task in tasks.items())
        size = sum(len(media.data) for media in self._fetched.values())
        if size > self._max_bytes:
            raise RequestTooLargeError(
                f"what lies at the addresses in the request has {size} bytes, and {self._max_bytes} are the most"
            )


def _addressed(request: CompleteRequest) -> Iterator[tuple[Media, str]]:
    """Everything that is given by an address on the network, and the field that gives it."""
    for index, message in enumerate(request.messages):
        yield from _addressed_in(message.parts, f"messages[{index}].parts")


def _addressed_in(parts: Sequence[Part], path: str) -> Iterator[tuple[Media, str]]:
    for index, part in enumerate(parts):
        kind = part.WhichOneof("content") or ""
        if kind == "tool_result":
            yield from _addressed_in(part.tool_result.parts, f"{path}[{index}].tool_result.parts")
        elif kind in _KINDS:
            media: Media = getattr(part, kind).media
            if media.url.startswith(_ADDRESSES):
                yield media, f"{path}[{index}].{kind}.media.url"


def _first(group: BaseExceptionGroup[GatewayError]) -> GatewayError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
