"""An answer being read by a client: what came so far and how it ended."""

from collections.abc import Iterator

from trunkline.answer import AnswerBuilder, Batch
from trunkline.errors import CancelledByCallerError, GatewayError, InternalError
from trunkline.v1 import CompleteResponse, Event


class AnswerReader:
    """The part of a client's stream that is the same whether it waits by blocking or by await."""

    def __init__(self) -> None:
        self._builder = AnswerBuilder()
        self._last: Batch | None = None
        self._failure: GatewayError | None = None
        self._answer: CompleteResponse | None = None

    def take(self, batch: Batch) -> Iterator[Event]:
        """Keeps a batch for the whole answer and gives its events; none for a mere sign of life."""
        if len(batch.events) == 1 and batch.events[0].HasField("heartbeat"):
            return iter(())
        self._builder.add(batch)
        self._last = batch
        return iter(batch.events)

    def fail(self, failure: GatewayError) -> None:
        """The stream ended with this."""
        self._failure = failure
        if self._last is not None and self._last.events and self._last.events[-1].failed.HasField("report"):
            # The same as in the trailers, but whole.
            failure.report = self._last.events[-1].failed.report

    @property
    def finished(self) -> bool:
        """Whether the answer is complete."""
        return is_finished(self._last)

    def answer(self) -> CompleteResponse:
        """The whole, once nothing more comes. A fragment is never taken for an answer: then it raises why."""
        if self._failure is not None:
            raise self._failure
        if not self.finished:
            raise CancelledByCallerError("the stream was closed before the answer was finished")
        if self._answer is None:
            self._answer = self._builder.response()
        return self._answer


def is_finished(last: Batch | None) -> bool:
    """Whether an answer is complete that ended with this batch."""
    return last is not None and bool(last.events) and last.events[-1].HasField("finished")


def unfinished() -> GatewayError:
    """Why a stream that ended well but without `finished` is not taken for an answer."""
    return InternalError("the gateway ended the stream before the answer was finished")
