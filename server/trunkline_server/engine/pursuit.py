"""One request's pursuit of an answer: from call to call, until one answers or nothing is left to try."""

import asyncio
import logging
from collections.abc import Sequence

from trunkline.errors import GatewayError, OverloadedError
from trunkline.interruptible import Interruptible
from trunkline.v1 import CompleteRequest, Feature, RequestPhase, StreamCompleteResponse, TranslationNote
from trunkline_server.engine.continuation import Continuation, DifferentAnswerError, Mode
from trunkline_server.engine.delivered import Delivered
from trunkline_server.engine.pauses import pauses_of
from trunkline_server.engine.queues import Queues
from trunkline_server.engine.run import Run
from trunkline_server.engine.slots import Slots
from trunkline_server.providers.target import Target
from trunkline_server.routing.course import Course
from trunkline_server.routing.failures import FailureClass
from trunkline_server.routing.step import Go, Step, Stop, Wait

log = logging.getLogger(__name__)

_ALARMING = frozenset({FailureClass.CREDENTIAL, FailureClass.QUOTA})
# Refusals of what a continuation added to the request, which the caller must never see.
_REFUSALS = frozenset({FailureClass.REQUEST, FailureClass.TARGET, FailureClass.WINDOW})


class Pursuit:
    """Does what the course decides: waits, takes places in queues, and joins what several targets say.

    Use: `call` says whom to call; every batch goes through `given`; then `answered`, or `failed` and `call` again.
    `close` ends it in any case.
    """

    __slots__ = (
        "_called",
        "_called_at",
        "_cause",
        "_continuation",
        "_course",
        "_delivered",
        "_go",
        "_no_prefill",
        "_notes",
        "_pauses",
        "_queues",
        "_request",
        "_responding",
        "_run",
        "_slots",
    )

    def __init__(
        self,
        run: Run,
        request: CompleteRequest,
        course: Course,
        queues: Queues,
        notes: Sequence[TranslationNote] = (),
    ) -> None:
        """`notes` tell what was changed of the caller's request to make this one."""
        self._run = run
        self._request = request
        self._notes = notes
        self._course = course
        self._queues = queues
        # Who waits for the whole answer has been given nothing before it is there.
        self._delivered = Delivered(request) if course.stream and course.policy.continuation != "off" else None
        self._continuation: Continuation | None = None
        self._pauses = pauses_of(request)
        self._cause: GatewayError | None = None
        self._no_prefill: set[str] = set()
        self._go: Go | None = None
        """Whom to call next, where that is decided already."""
        self._called: Go | None = None
        """Who was called last."""
        self._responding = False
        self._slots: Slots | None = None
        self._called_at = 0.0

    @property
    def request(self) -> CompleteRequest:
        """What to ask."""
        if self._continuation is not None:
            return self._continuation.request
        return self._request if self._pauses is None else self._pauses.request

    @property
    def notes(self) -> Sequence[TranslationNote]:
        """What was changed of the request on the way here."""
        changer = self._continuation or self._pauses
        return self._notes if changer is None else (*self._notes, *changer.notes)

    @property
    def may_pause(self) -> bool:
        """Whether an answer that pauses now is gone on with."""
        return self._pauses is not None and self._pauses.may_pause

    @property
    def idle_s(self) -> float:
        """How long the target may pause in its answer: not so long that nobody could go on with it."""
        idle_s = self._course.policy.idle_s
        if self._delivered is None:
            return idle_s
        now = self._run.watch.now()
        return min(idle_s, (self._course.deadline - now) / 2) if self._course.has_other(now) else idle_s

    async def call(self) -> Go:
        """Whom to call next, after whatever had to be waited for. Raises why there is nobody."""
        watch = self._run.watch
        while True:
            watch.check()
            step: Step = self._go or self._course.next(watch.loop.time())
            self._go = None
            if isinstance(step, Wait):
                await self._wait(step.until)
                continue
            if isinstance(step, Stop):
                raise step.error
            go = step
            if go.target.max_concurrent is not None and not await self._take_place(go.target):
                continue
            self._responding = False
            self._called = go
            return go

    def given(self, batch: StreamCompleteResponse) -> StreamCompleteResponse | None:
        """The batch as the caller may see it, numbered; None: nothing of it is for the caller."""
        if not self._responding:
            self._responding = True
            self._course.responding()
        if self._pauses is not None:
            joined = self._pauses.join(batch)
            if joined is None:
                return None
            batch = joined
        if self._continuation is not None:
            adapted = self._continuation.adapt(batch)
            if adapted is None:
                return None
            batch = adapted
        if self._delivered is not None:
            self._delivered.add(batch)
        return self._run.number(batch)

    def answered(self) -> None:
        """The call has given the whole answer, or the rest of it."""
        self._course.answered(self._run.watch.now())
        self._leave_place()

    def paused(self) -> None:
        """The call has given a part of the answer, and `call` says who gives the rest."""
        self.answered()
        if self._pauses is not None:
            self._pauses.paused()
        step = self._course.again(self._run.watch.now())
        if isinstance(step, Stop):
            raise step.error
        self._go = step

    def failed(self, error: GatewayError) -> None:
        """The call failed. Raises if the caller must hear of it; otherwise `call` says how it goes on."""
        self._leave_place()
        if isinstance(error, DifferentAnswerError):
            # That two answers differ is no fault of either target.
            self._course.abandoned()
            raise error
        now = self._run.watch.now()
        if self._run.committed:
            failure = self._course.broke_off(error, now, gave=self._responding)
        else:
            failure = self._course.failed(error, now)
            self._run.forget_pauses()
            if self._pauses is not None:
                self._pauses.forget()
        if failure in _ALARMING:
            self._raise_alarm(error)
        if self._run.committed:
            self._go_on(error, failure, now)

    def close(self) -> None:
        """The request is over, however."""
        self._course.abandoned()
        self._leave_place()

    def _raise_alarm(self, error: GatewayError) -> None:
        """Only the operator can mend it. The key is spared from now on, so this is not said with each request."""
        if self._called is not None:
            provider = self._called.target.provider
            log.error(
                "%s: %s (key %d of %d, status %d); it is not used for a while",
                self._called.target.name,
                error.message,
                self._called.key_index + 1,
                max(1, len(provider.api_keys)),
                error.provider_status,
            )

    def _go_on(self, error: GatewayError, failure: FailureClass, now: float) -> None:
        """Finds somebody to go on with an answer of which the caller has been given a part."""
        if failure is FailureClass.ENDED:
            raise error
        refused = self._continuation is not None and not self._responding and failure in _REFUSALS
        if self._continuation is None or self._responding:
            self._run.given_up.append(self._run.record.report.attempts[-1])
        self._pauses = None
        self._run.pauses = 0
        # The first break is what the caller hears of, whatever came of going on.
        cause = self._cause = self._cause or error
        if self._delivered is None or self._delivered.obstacle():
            raise cause
        if refused and self._continuation is not None and self._continuation.mode == "prefill":
            self._no_prefill.add(self._run.record.report.attempts[-1].target)
        step = self._course.resume(now, self._mode_for, again=refused)
        if isinstance(step, Stop):
            raise cause
        mode = self._mode_for(step.target)
        if mode is None:
            raise cause
        self._continuation = Continuation(
            self._request, self._delivered, step.target, cause=cause.to_failure(), mode=mode
        )
        self._go = step

    def _mode_for(self, target: Target) -> Mode | None:
        """How this target could go on; None: not at all."""
        if target.facts.can(Feature.FEATURE_PREFILL) and target.name not in self._no_prefill:
            return "prefill"
        return "restart" if self._course.policy.continuation == "restart" else None

    async def _wait(self, until: float) -> None:
        watch = self._run.watch
        try:
            with Interruptible() as waiting:
                watch.attach(waiting.interrupt)
                began = watch.now()
                self._run.phase = RequestPhase.REQUEST_PHASE_WAITING
                await asyncio.sleep(until - began)
                self._run.waited_s += watch.now() - began
        finally:
            watch.detach()

    async def _take_place(self, target: Target) -> bool:
        """Whether the target may be called now; False: too many wait for it, and somebody else is to be asked."""
        slots = self._queues.of(target)
        self._run.phase = RequestPhase.REQUEST_PHASE_QUEUED
        try:
            steering = self._run.steering
            priority = self._request.routing.priority
            if steering is not None:
                priority = steering.priority or priority
            waited_s = await slots.take(priority, self._run.watch, steering)
        except OverloadedError as error:
            self._course.passed_over(error)
            if self._run.committed and self._cause is not None:
                raise self._cause from None
            return False
        self._slots = slots
        self._called_at = self._run.watch.now()
        self._run.queued_s += waited_s
        return True

    def _leave_place(self) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.give_back(self._run.watch.now() - self._called_at)
