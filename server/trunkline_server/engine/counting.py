"""How many tokens a request has: the provider's count where it has one, else an estimate."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from trunkline.context import CallContext
from trunkline.errors import (
    DeadlineError,
    GatewayError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderThrottledError,
)
from trunkline.v1 import CompleteRequest, CountTokensResponse
from trunkline_server.dialects.dialect import Dialect, MalformedFrameError
from trunkline_server.dialects.token_counter import TokenCounter
from trunkline_server.engine.estimate import TokenEstimator
from trunkline_server.providers.target import Target
from trunkline_server.routing.failures import FailureClass, classify
from trunkline_server.transport.exchange import Exchange, Transport
from trunkline_server.values.wire import WireRequest

log = logging.getLogger(__name__)

LIMIT_S: Final = 10.0
"""How long a provider may take; an estimate is better than none."""
MAX_ANSWER_BYTES: Final = 64 * 1024

# What another of the provider's keys may not meet with.
_OF_THE_KEY: Final = (ProviderCredentialsError, ProviderQuotaError, ProviderThrottledError)
# What the caller must hear of, because the request itself is at fault.
_OF_THE_REQUEST: Final = frozenset({FailureClass.REQUEST, FailureClass.WINDOW})


class Counting:
    """Counts by the first target's provider."""

    def __init__(
        self,
        counters: Mapping[str, TokenCounter],
        dialects: Mapping[str, Dialect],
        transports: Mapping[str, Transport],
        estimator: TokenEstimator,
    ) -> None:
        """`counters` and `dialects` are by dialect, `transports` by the provider kind's `transport`."""
        self._counters = counters
        self._dialects = dialects
        self._transports = transports
        self._estimator = estimator

    async def count(self, request: CompleteRequest, target: Target, context: CallContext) -> CountTokensResponse:
        """Raises what is wrong with the request; whatever else goes wrong leads to an estimate."""
        counter = self._counters.get(target.dialect)
        wire = counter.encode_count(request, target) if counter is not None else None
        found: CountTokensResponse | None = None
        if counter is not None and wire is not None:
            found = await self._ask(counter, wire, target, context)
        if found is None:
            found = CountTokensResponse(input_tokens=self._estimator.input_tokens(request), estimated=True)
        found.target = target.name
        return found

    async def _ask(
        self, counter: TokenCounter, wire: WireRequest, target: Target, context: CallContext
    ) -> CountTokensResponse | None:
        """The provider's count; None: it gave none, which is told in the log."""
        remaining_s = context.remaining_s()
        try:
            async with asyncio.timeout(LIMIT_S if remaining_s is None else min(LIMIT_S, remaining_s)):
                return counter.read_count(await self._answer(wire, target))
        except TimeoutError:
            if remaining_s is not None and remaining_s <= LIMIT_S:
                raise DeadlineError("the deadline passed before the provider had counted", target=target.name) from None
            log.warning("%s: took more than %g s to count tokens; they are estimated", target.name, LIMIT_S)
        except MalformedFrameError as error:
            log.warning("%s: its count of tokens cannot be read: %s; they are estimated", target.name, error)
        except GatewayError as error:
            if classify(error) in _OF_THE_REQUEST:
                error.target = target.name
                raise
            log.warning("%s: did not count tokens: %s; they are estimated", target.name, error.message)
        return None

    async def _answer(self, wire: WireRequest, target: Target) -> bytes:
        """What the provider says to the first of its keys that it takes."""
        last = max(1, len(target.provider.api_keys)) - 1
        for key_index in range(last + 1):
            try:
                return await self._call(wire, target, key_index)
            except _OF_THE_KEY:
                if key_index == last:
                    raise
        raise AssertionError("a provider is called at least once")

    async def _call(self, wire: WireRequest, target: Target, key_index: int) -> bytes:
        transport = self._transports[target.provider.kind.transport]
        exchange = await transport.open(target.provider, wire, {}, key_index=key_index)
        try:
            body = await _body(exchange, target)
        finally:
            exchange.close()
        if exchange.status // 100 != 2:
            raise self._dialects[target.dialect].error(target, exchange.status, exchange.headers, body)
        return body


async def _body(exchange: Exchange, target: Target) -> bytes:
    pieces, size = [], 0
    while piece := await exchange.read():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise ProviderBadAnswerError(f"the count of provider {target.provider.name} has no end")
    return b"".join(pieces)
