"""What a client knows of its session: the requests that run in it, and the replies that are waited for."""

import itertools
from typing import Final, Protocol

from trunkline.errors import GatewayError, InvalidRequestError, from_failure
from trunkline.inbox import Inbox
from trunkline.v1 import (
    AppendCommand,
    CompleteRequest,
    ConverseRequest,
    ConverseResponse,
    SessionLimits,
    StartCommand,
)

_BEGINNINGS: Final = ("start", "append")


class Answer(Protocol):
    """A running answer, as far as the book deals with it."""

    inbox: Inbox

    def wake(self) -> None:
        """Tells whoever reads it that there is something new."""
        ...


class Reply(Protocol):
    """What somebody waits for: that the commands before it have been looked at."""

    def resolve(self, failure: GatewayError | None) -> None:
        """They have been; `failure` is why the one in question was refused. The first call counts."""
        ...


class SessionBook:
    """The part of a client's session that is the same whether it waits by blocking or by await.

    Not to be used from several threads at once.
    """

    def __init__(self) -> None:
        self.session_id = ""
        """The gateway's id of the session; empty before it has opened."""
        self.limits: SessionLimits | None = None
        """What the session allows; None before it has opened."""
        self.draining = False
        """Whether the gateway takes nothing more on in this session."""
        self.failure: GatewayError | None = None
        """Why the session is over; None: it is not, or it ended well."""
        self.over = False
        self._answers: dict[str, Answer] = {}
        self._replies: dict[int, tuple[Reply, str, str]] = {}
        self._ids = itertools.count(1)
        self._tokens = itertools.count(1)

    def new_id(self) -> str:
        """An id that no request has."""
        while (found := f"r{next(self._ids)}") in self._answers:
            pass
        return found

    def begin(self, answer: Answer) -> None:
        """A request that is about to be sent. Raises why the session takes none."""
        self.check()
        request_id = answer.inbox.request_id
        if request_id in self._answers:
            raise InvalidRequestError.at_field("request_id", f"a request {request_id!r} runs already in this session")
        self._answers[request_id] = answer

    def check(self) -> None:
        """Raises why the session is over, if it is."""
        if self.failure is not None:
            raise self.failure
        if self.over:
            raise InvalidRequestError("the session is over")

    def expect(self, reply: Reply, kind: str = "", conversation_id: str = "") -> ConverseRequest:
        """The ping whose pong resolves the reply, unless the command of that kind and conversation is refused first."""
        token = next(self._tokens)
        self._replies[token] = (reply, kind, conversation_id)
        command = ConverseRequest()
        command.ping.token = token
        return command

    def take(self, response: ConverseResponse) -> None:
        """The next response."""
        for found in response.batches:
            answer = self._answers.get(found.request_id)
            if answer is not None:
                answer.inbox.arrive(found)
                if answer.inbox.ended:
                    del self._answers[found.request_id]
                answer.wake()
        match response.WhichOneof("notice"):
            case "opened":
                self.session_id = response.opened.session_id
                self.limits = response.opened.limits
            case "rejected":
                rejected = response.rejected
                self._reject(
                    rejected.request_id, rejected.command, rejected.conversation_id, from_failure(rejected.failure)
                )
            case "pong":
                if (waiting := self._replies.pop(response.pong.token, None)) is not None:
                    waiting[0].resolve(None)
            case "draining":
                self.draining = True
            case _:
                pass  # events alone, or a notice that is newer than this client

    def end(self, failure: GatewayError | None) -> None:
        """The session is over; what still runs fails with `failure`, or with why a session that ended well left it."""
        if self.over:
            return
        self.over = True
        self.failure = failure
        reason = failure or GatewayError("the gateway ended the session before the answer was finished")
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            answer.inbox.fail(reason)
            answer.wake()
        replies, self._replies = self._replies, {}
        for reply, _, _ in replies.values():
            reply.resolve(reason)

    def _reject(self, request_id: str, kind: str, conversation_id: str, failure: GatewayError) -> None:
        if kind in _BEGINNINGS:
            # It never began, so nothing else ends it.
            if (answer := self._answers.pop(request_id, None)) is not None:
                answer.inbox.fail(failure)
                answer.wake()
            return
        for reply, wanted, wanted_id in self._replies.values():
            if (wanted, wanted_id) == (kind, conversation_id):
                reply.resolve(failure)
                return


def begin_command(
    inbox: Inbox,
    request: CompleteRequest,
    *,
    conversation: str,
    append: bool,
    timeout_s: float | None,
    traceparent: str,
) -> ConverseRequest:
    """The command that starts a request, or goes on with a conversation."""
    command = ConverseRequest(request_id=inbox.request_id)
    begun: StartCommand | AppendCommand = command.append if append else command.start
    begun.request.CopyFrom(request)
    if timeout_s is not None:
        begun.request.routing.timeout_ms = max(1, round(timeout_s * 1000))
    begun.conversation_id = conversation
    begun.credit_bytes = inbox.window_bytes
    begun.traceparent = traceparent
    return command


def credit_command(request_id: str, credit_bytes: int) -> ConverseRequest:
    """The command that allows more events."""
    command = ConverseRequest(request_id=request_id)
    command.credit.bytes = credit_bytes
    return command
