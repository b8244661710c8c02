"""What was asked and answered, kept only for a request whose content the operator wants recorded."""

from trunkline.answer import AnswerBuilder
from trunkline.v1 import CompleteRequest, CompleteResponse, StreamCompleteResponse


class Content:
    """The prompt, and the answer as far as it came."""

    def __init__(self, request: CompleteRequest) -> None:
        self.request = request
        self._answer = AnswerBuilder()
        self._begun = False
        self._whole: CompleteResponse | None = None

    def add(self, batch: StreamCompleteResponse) -> None:
        """What is given to the caller next."""
        if self._begun and batch.events[0].HasField("started"):
            self._answer = AnswerBuilder()  # what came before was of an attempt that failed
        self._begun = True
        self._answer.add(batch)

    def answer(self) -> CompleteResponse:
        """The answer; nothing is added once it was asked for."""
        if self._whole is None:
            self._whole = self._answer.response()
        return self._whole
