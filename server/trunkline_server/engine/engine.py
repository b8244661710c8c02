"""The engine: takes a request from whoever is at the door and answers it, whatever happens on the way."""

import asyncio
import logging
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing

from trunkline.answer import AnswerBuilder
from trunkline.context import CallContext, is_request_id, new_request_id
from trunkline.errors import (
    CancelledByCallerError,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    ShuttingDownError,
)
from trunkline.v1 import (
    CompleteRequest,
    CompleteResponse,
    CountTokensRequest,
    CountTokensResponse,
    GetMetricsRequest,
    GetMetricsResponse,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    ListRunningRequestsRequest,
    ListRunningRequestsResponse,
    ListTargetsRequest,
    ListTargetsResponse,
    StreamCompleteResponse,
)
from trunkline_server.cache.reasoning_store import ReasoningStore
from trunkline_server.config.settings import Limits
from trunkline_server.dialects.dialect import Dialect
from trunkline_server.dialects.token_counter import TokenCounter
from trunkline_server.engine.admission import Admission
from trunkline_server.engine.attempt import Attempt
from trunkline_server.engine.conditions import target_state
from trunkline_server.engine.counting import Counting
from trunkline_server.engine.estimate import TokenEstimator
from trunkline_server.engine.inlining import Fetcher, Inlining
from trunkline_server.engine.inside import may_debug, running_request
from trunkline_server.engine.intake import folded, plan_for
from trunkline_server.engine.pursuit import Pursuit
from trunkline_server.engine.queues import Queues
from trunkline_server.engine.run import Run
from trunkline_server.engine.validation import validate
from trunkline_server.engine.watch import Watch
from trunkline_server.governance.keys import KeyRing
from trunkline_server.ledger.ledger import Ledger
from trunkline_server.routing.catalog import Catalog
from trunkline_server.routing.course import Course
from trunkline_server.routing.health import Health
from trunkline_server.routing.needs import fitting
from trunkline_server.routing.step import Go
from trunkline_server.telemetry.defect import report_defect
from trunkline_server.telemetry.telemetry import Telemetry
from trunkline_server.transport.exchange import Transport
from trunkline_server.values.content import Content
from trunkline_server.values.record import RequestRecord

log = logging.getLogger(__name__)

DEFAULT_PAGE_SIZE = 1000


class Engine:
    """Implements `trunkline.gateway.Gateway` in this process.

    Every call is authenticated here, so that no surface can forget to. A completion goes through the same stages
    whole and streamed: the unary form is the fold of the stream.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        keys: KeyRing,
        dialects: Mapping[str, Dialect],
        counters: Mapping[str, TokenCounter],
        transports: Mapping[str, Transport],
        limits: Limits,
        health: Health,
        ledger: Ledger,
        telemetry: Telemetry,
        reasoning: ReasoningStore,
        estimator: TokenEstimator,
        media: Fetcher | None,
        metrics_page: Callable[[], Awaitable[bytes]],
    ) -> None:
        """`dialects` are by name, and so are those `counters` that there are. `media` fetches what is given by address; None: that is not done. `transports` is by the provider kind's `transport`; `metrics_page` writes what metrics there are."""
        self.catalog = catalog
        """What clients may ask for; replaced as a whole when discovery finds more."""
        self.admission = Admission(
            max_requests=limits.max_requests_in_flight,
            max_bytes=limits.max_bytes_in_flight,
            retry_after_ms=int(limits.retry_after_s * 1000),
        )
        self._keys = keys
        self._dialects = dialects
        self._transports = transports
        self._limits = limits
        self._health = health
        self._queues = Queues()
        self._rng = random.Random()  # noqa: S311 it spreads waits, it guards nothing
        self._ledger = ledger
        self._telemetry = telemetry
        self._reasoning = reasoning
        self._estimator = estimator
        self._media = media
        self._counting = Counting(counters, dialects, transports, estimator)
        self._metrics_page = metrics_page
        self._runs: set[Run] = set()

    async def complete(self, request: CompleteRequest, context: CallContext) -> CompleteResponse:
        answer = AnswerBuilder()
        async with aclosing(self._answer(request, context, stream=False)) as batches:
            async for batch in batches:
                if batch.events[0].HasField("started"):
                    answer = AnswerBuilder()  # what came before is of an attempt that failed
                answer.add(batch)
        return answer.response()

    def stream(self, request: CompleteRequest, context: CallContext) -> AsyncGenerator[StreamCompleteResponse, None]:
        return self._answer(request, context, stream=True)

    async def count_tokens(self, request: CountTokensRequest, context: CallContext) -> CountTokensResponse:
        principal = self._keys.authenticate(context.credential)
        if not request.HasField("request"):
            raise InvalidRequestError.at_field("request", "is required; there is nothing to count")
        size_bytes = context.size_bytes or request.ByteSize()
        self.admission.enter(size_bytes)
        try:
            asked = folded(request.request, context)
            special = validate(asked, self._limits)
            asked, _ = self._reasoning.recall(asked, principal)
            plan, _ = fitting(plan_for(asked, principal, self.catalog), asked, special, size_bytes)
            return await self._counting.count(asked, plan.targets[0], context)
        finally:
            self.admission.leave(size_bytes)

    async def list_models(self, request: ListModelsRequest, context: CallContext) -> ListModelsResponse:
        principal = self._keys.authenticate(context.credential)
        models = [model for model in self.catalog.models() if principal.may_use(model.id)]
        size = request.page_size if 0 < request.page_size < DEFAULT_PAGE_SIZE else DEFAULT_PAGE_SIZE
        # The token is the last id of the page before, so that a list that changes meanwhile neither repeats nor
        # skips what was there all along.
        rest = [model for model in models if model.id > request.page_token]
        page = rest[:size]
        return ListModelsResponse(models=page, next_page_token=page[-1].id if len(rest) > size else "")

    async def get_model(self, request: GetModelRequest, context: CallContext) -> GetModelResponse:
        principal = self._keys.authenticate(context.credential)
        model = self.catalog.describe(request.id)
        if not principal.may_use(request.id):
            # As if there were none: a key must not learn what it may not use.
            raise NotFoundError(f"there is no model {request.id[:128]!r} that the key {principal.key!r} may use")
        return GetModelResponse(model=model)

    async def list_targets(self, request: ListTargetsRequest, context: CallContext) -> ListTargetsResponse:
        principal = self._keys.authenticate(context.credential)
        plans = (plan for plan in self.catalog.plans() if principal.may_use(plan.model))
        targets = {target.name: target for plan in plans for target in plan.targets}
        now = asyncio.get_running_loop().time()
        states = [
            target_state(self._health.of(target), queued=self._queues.queued(name), now=now)
            for name, target in sorted(targets.items())
        ]
        return ListTargetsResponse(targets=states)

    async def get_metrics(self, request: GetMetricsRequest, context: CallContext) -> GetMetricsResponse:
        self._keys.authenticate(context.credential)
        return GetMetricsResponse(page=await self._metrics_page())

    async def list_running_requests(
        self, request: ListRunningRequestsRequest, context: CallContext
    ) -> ListRunningRequestsResponse:
        may_debug(self._keys.authenticate(context.credential))
        runs = sorted(self._runs, key=Run.elapsed_us, reverse=True)
        return ListRunningRequestsResponse(requests=[running_request(run) for run in runs])

    def queued(self, target: str) -> int:
        """How many requests queue for this target."""
        return self._queues.queued(target)

    async def ready(self) -> bool:
        return not self.admission.draining

    async def drain(self, grace_s: float) -> None:
        """Takes nothing more on, waits for what runs, and ends what is left after `grace_s` with a typed error."""
        if await self.admission.drain(grace_s):
            return
        log.warning("%d requests were still running after %g s; ending them", len(self._runs), grace_s)
        for run in list(self._runs):
            run.watch.stop(ShuttingDownError("the gateway shut down before the answer was complete; ask again"))
        await self.admission.drain(grace_s)

    async def _answer(
        self, request: CompleteRequest, context: CallContext, *, stream: bool
    ) -> AsyncGenerator[StreamCompleteResponse, None]:
        run = self._begin(request, context, stream=stream)
        size_bytes = context.size_bytes or request.ByteSize()
        admitted = False
        pursuit: Pursuit | None = None
        try:
            run.record.principal = principal = self._keys.authenticate(context.credential)
            if context.debug:
                run.record.debug = may_debug(principal)
            self.admission.enter(size_bytes)
            admitted = True
            self._runs.add(run)
            run.record.asked = request = folded(request, context)
            run.strict = request.HasField("routing") and request.routing.strict
            special = validate(request, self._limits)
            if self._telemetry.captures(run.record.trace):
                run.record.content = Content(request)
            collector = self._reasoning.collector(request, principal)
            request, recalled = self._reasoning.recall(request, principal)
            plan = plan_for(request, principal, self.catalog)
            if plan.route:
                run.record.report.route = plan.route
            plan, passed_over = fitting(plan, request, special, size_bytes)
            if passed_over:
                run.record.report.passed_over.extend(passed_over)
            run.watch.deadline = min(run.watch.deadline, run.watch.now() + plan.policy.total_s)
            course = Course(plan, self._health, self._rng, deadline=run.watch.deadline, stream=stream)
            pursuit = Pursuit(run, request, course, self._queues, recalled)
            while True:
                go = await pursuit.call()
                try:
                    with self._attempt(run, go, pursuit) as attempt:
                        await attempt.open(stream=stream, notes=pursuit.notes)
                        while not attempt.over:
                            batch = pursuit.given(await attempt.next_batch())
                            if batch is not None:
                                if run.record.content is not None:
                                    run.record.content.add(batch)
                                if collector is not None:
                                    collector.add(batch)
                                yield batch
                    if attempt.paused:
                        pursuit.paused()
                        continue
                    pursuit.answered()
                    if collector is not None:
                        collector.ended_well()
                    return
                except GatewayError as error:
                    pursuit.failed(error)
        except GatewayError as error:
            run.fail(error)
            if admitted and stream:
                yield run.failed_batch()
            raise
        except (asyncio.CancelledError, GeneratorExit):
            if not run.over:
                run.fail(CancelledByCallerError("the caller cancelled or left"))
            raise
        except Exception as error:
            defect = report_defect(log, error, run.record.request_id)
            run.fail(defect)
            if admitted and stream:
                yield run.failed_batch()
            raise defect from error
        finally:
            if pursuit is not None:
                pursuit.close()
            if admitted:
                self.admission.leave(size_bytes)
                self._runs.discard(run)
            self._settle(run)

    def _begin(self, request: CompleteRequest, context: CallContext, *, stream: bool) -> Run:
        loop = asyncio.get_running_loop()
        timeout_s = math.inf  # until the plan says how long a request may take at most
        if (remaining_s := context.remaining_s()) is not None:
            timeout_s = remaining_s
        routing = request.routing if request.HasField("routing") else None
        if routing is not None and routing.HasField("timeout_ms"):
            timeout_s = min(timeout_s, routing.timeout_ms / 1000)
        trace = self._telemetry.admit(context)
        record = RequestRecord(
            request_id=context.request_id if is_request_id(context.request_id) else new_request_id(),
            trace=trace,
            link=context.link,
            session_id=context.session_id,
            started_ns=time.time_ns(),
            stream=stream,
            model=request.model[:256],
            client_address=context.client_address,
        )
        run = Run(record, Watch(loop, loop.time() + timeout_s), context.baggage, self._estimator)
        if self._media is not None:
            run.inlining = Inlining(self._media, max_bytes=self._limits.max_request_bytes)
        if context.steering is not None:
            run.steering = context.steering
            run.watch.on_stop = context.steering.on_ending
            context.steering.attach(run.watch.stop)
        if routing is not None:
            record.tags.update(routing.tags)
        if trace.sampled:
            record.report.trace_id = f"{trace.trace_id:032x}"
        return run

    def _attempt(self, run: Run, go: Go, pursuit: Pursuit) -> Attempt:
        target = go.target
        return Attempt(
            run,
            pursuit.request,
            go,
            dialect=self._dialects[target.dialect],
            transport=self._transports[target.provider.kind.transport],
            idle_s=pursuit.idle_s,
            span_id=self._telemetry.new_span_id(),
            may_pause=pursuit.may_pause,
            chunks=self._telemetry.chunks_of(target.provider.name, target.model) if run.record.stream else (),
        )

    def _settle(self, run: Run) -> None:
        """Accounts for the request, once. It awaits nothing, so the caller's cancellation cannot interrupt it."""
        run.watch.close()
        if run.steering is not None:
            run.steering.attach(None)
        self._ledger.record(run.record)
        self._telemetry.settled(run.record)
