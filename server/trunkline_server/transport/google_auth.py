"""Access tokens for Google Cloud: fetched in a thread, by one caller for all, and again before they end."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from trunkline.errors import GatewayError, ProviderCredentialsError, ProviderUnavailableError
from trunkline_server.providers.target import Provider

if TYPE_CHECKING:
    from trunkline_server.transport.google_credentials import AccessToken

REFRESH_BEFORE_S: Final = 300.0
"""How long before its end a token is replaced; Google gives no other before its own four minutes are reached."""
SPARE_S: Final = 10.0
"""A token that ends so soon is not sent: it might end on the way."""
RETRY_S: Final = 10.0
"""How long the next try in advance waits after one that failed or gave what was at hand already."""

LOG: Final = logging.getLogger(__name__)


class Source(Protocol):
    """Where tokens come from; it blocks."""

    def fetch(self) -> "AccessToken":
        """A new token."""
        ...


def google_source(credentials_file: str) -> Source:
    """The real one. Importing google-auth takes 14 MB and a while, so it is done where a token is first needed."""
    from trunkline_server.transport.google_credentials import TokenSource  # noqa: PLC0415 see above

    return TokenSource(credentials_file)


class GoogleTokens:
    """The tokens of all providers on Google Cloud, by the credentials that they are for."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, source: Callable[[str], Source] = google_source
    ) -> None:
        self._clock = clock
        self._make_source = source
        self._held: dict[str, _Held] = {}

    def at_hand(self, provider: Provider) -> str:
        """The token that is ready to be sent; empty if one must be waited for. This is the way of nearly all calls."""
        held = self._held.get(provider.credentials_file)
        if held is None or held.token is None:
            return ""
        left_s = held.token.until - self._clock()
        if left_s < REFRESH_BEFORE_S:
            if left_s < SPARE_S:
                return ""
            if held.fetching is None and self._clock() >= held.retry_at:
                self._begin(held, provider)  # type: ignore[unused-awaitable]  # in advance: nobody waits for it
        return held.token.text

    async def fetch(self, provider: Provider) -> str:
        """A token, waiting for it; callers who come meanwhile wait for the same one.

        Raises ProviderCredentialsError if the credentials are missing or refused, ProviderUnavailableError if Google
        cannot be reached. Cancelling leaves the others waiting.
        """
        held = self._held.setdefault(provider.credentials_file, _Held())
        token = await asyncio.shield(held.fetching or self._begin(held, provider))
        return token.text

    def prepare(self, provider: Provider) -> None:
        """Begins to fetch a token that will be needed, unless there is one; a failure is logged and is nobody's else."""
        held = self._held.setdefault(provider.credentials_file, _Held())
        if held.token is None and held.fetching is None:
            self._begin(held, provider)  # type: ignore[unused-awaitable]  # in advance: nobody waits for it

    def forget(self, provider: Provider, token: str) -> None:
        """Drops a token that the provider refused, so that the next call fetches another."""
        held = self._held.get(provider.credentials_file)
        if held is not None and held.token is not None and held.token.text == token:
            held.token = None

    async def close(self) -> None:
        """Waits for what is being fetched, which nothing can interrupt."""
        running = [held.fetching for held in self._held.values() if held.fetching is not None]
        await asyncio.gather(*running, return_exceptions=True)

    def _begin(self, held: "_Held", provider: Provider) -> "asyncio.Task[AccessToken]":
        held.fetching = task = asyncio.create_task(self._fetch(held, provider))
        task.add_done_callback(_look_at)
        return task

    async def _fetch(self, held: "_Held", provider: Provider) -> "AccessToken":
        try:
            held.token = token = await asyncio.to_thread(self._blocking, held, provider)
        except GatewayError as error:
            LOG.warning("%s", error)
            raise
        finally:
            held.retry_at = self._clock() + RETRY_S
            held.fetching = None
        return token

    def _blocking(self, held: "_Held", provider: Provider) -> "AccessToken":
        try:
            from trunkline_server.transport.google_credentials import NoTokenError  # noqa: PLC0415 see google_source
        except ImportError as error:
            raise ProviderCredentialsError(
                f"provider {provider.name} needs the package google-auth: install trunkline[gateway]"
            ) from error
        try:
            if held.source is None:
                held.source = self._make_source(provider.credentials_file)
            return held.source.fetch()
        except NoTokenError as error:
            cls = ProviderUnavailableError if error.passing else ProviderCredentialsError
            fix = "" if error.passing else "; set google_cloud.credentials_file or GOOGLE_APPLICATION_CREDENTIALS"
            raise cls(f"provider {provider.name}: {error}{fix}") from error


class _Held:
    """What is known for one set of credentials."""

    __slots__ = ("fetching", "retry_at", "source", "token")

    def __init__(self) -> None:
        self.source: Source | None = None
        self.token: AccessToken | None = None
        self.fetching: asyncio.Task[AccessToken] | None = None
        self.retry_at = 0.0


def _look_at(task: "asyncio.Task[AccessToken]") -> None:
    """A failure to fetch in advance is nobody's: it has been logged, and must not be reported as unseen."""
    if not task.cancelled():
        task.exception()
