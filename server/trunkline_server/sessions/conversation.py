"""Conversations that a session keeps, so that a turn sends only what is new."""

from typing import Final

from trunkline.answer import AnswerBuilder
from trunkline.errors import InvalidRequestError, NotFoundError, OverloadedError
from trunkline.v1 import CompleteRequest, ConversationState, Message, Role, StreamCompleteResponse
from trunkline_server.sessions.room import Room

MAX_ID_BYTES: Final = 128

# Of a turn alone: neither does one turn's wish bind the next, nor is a repeated turn the same request.
_NEVER_INHERITED: Final = ("routing", "idempotency_key")
# What is new in a turn is added, not put in the place of what is there.
_ADDED: Final = frozenset({"messages", "prompt"})


class Conversation:
    """What was asked and answered so far. It changes only when a turn has ended well."""

    __slots__ = ("busy", "data", "id", "messages")

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self.data = b""
        """A CompleteRequest: the settings and all messages. As bytes, because they are what the limit counts, and a
        message takes more. Empty before the first turn has ended."""
        self.messages = 0
        """How many there are."""
        self.busy = False
        """Whether a turn runs."""

    def turn(self, new: CompleteRequest) -> CompleteRequest:
        """What a turn with these additions asks: a request of its own."""
        asked = CompleteRequest.FromString(self.data)
        for field, _ in new.ListFields():
            if field.name not in _ADDED:
                asked.ClearField(field.name)  # type: ignore[arg-type]  # wants a literal, and gets what the message has
        asked.MergeFrom(new)
        if asked.prompt:
            asked.messages.add(role=Role.ROLE_USER).parts.add(text=asked.prompt)
            asked.ClearField("prompt")
        return asked


class Turn:
    """One turn of a conversation while it runs. Its bytes count as kept from the start, and so do the answer's."""

    __slots__ = ("_answer", "_conversations", "_taken", "asked", "conversation")

    def __init__(
        self, conversations: "Conversations", conversation: Conversation, asked: CompleteRequest, taken: int
    ) -> None:
        self.asked = asked
        self.conversation = conversation
        self._conversations = conversations
        self._taken = taken
        self._answer: AnswerBuilder | None = AnswerBuilder()

    def add(self, batch: StreamCompleteResponse, size: int) -> None:
        """The next events of its answer, `size` bytes of them."""
        if self._answer is None:
            return
        if self._conversations.room.take(size):
            self._taken += size
            self._answer.add(batch)
        else:
            self._answer = None  # there is no room for it, so it cannot be kept

    def end(self, *, well: bool) -> ConversationState:
        """It is over; if it ended `well` the conversation has advanced, unless it was forgotten or had no room."""
        conversation, builder = self.conversation, self._answer
        self._answer = None
        conversation.busy = False
        known = self._conversations.knows(conversation)
        kept = False
        if well and known and builder is not None:
            choices = builder.response().choices
            kept = self._keep(choices[0].message if choices else Message(role=Role.ROLE_ASSISTANT))
        self._conversations.room.give_back(self._taken)
        self._taken = 0
        if known and not conversation.data:
            self._conversations.forget(conversation.id)  # its first turn left nothing
        return ConversationState(
            id=conversation.id,
            messages=conversation.messages if known else 0,
            bytes=len(conversation.data) if known else 0,
            kept=kept,
        )

    def _keep(self, answer: Message) -> bool:
        """Whether there was room for the conversation as it is now."""
        asked, conversation = CompleteRequest(), self.conversation
        asked.CopyFrom(self.asked)  # the engine may still look at what it was given
        for name in _NEVER_INHERITED:
            asked.ClearField(name)
        asked.messages.append(answer)
        data = asked.SerializeToString()
        growth = len(data) - len(conversation.data)
        # What the turn has taken so far is given back right after.
        if growth > self._taken and not self._conversations.room.take(growth - self._taken):
            return False
        self._taken = max(self._taken - growth, 0)
        conversation.data = data
        conversation.messages = len(asked.messages)
        return True


class Conversations:
    """Those of one session, within its limits."""

    __slots__ = ("_by_id", "_max_conversations", "room")

    def __init__(self, room: Room, *, max_conversations: int) -> None:
        self.room = room
        self._max_conversations = max_conversations
        self._by_id: dict[str, Conversation] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def knows(self, conversation: Conversation) -> bool:
        """Whether it is kept, and not forgotten or another of the same name."""
        return self._by_id.get(conversation.id) is conversation

    def start(self, conversation_id: str, request: CompleteRequest) -> Turn:
        """A new one, with a first turn that runs. Raises InvalidRequestError or OverloadedError."""
        self._check_free(conversation_id, "start.conversation_id")
        turn = self._turn(Conversation(conversation_id), request)
        self._by_id[conversation_id] = turn.conversation
        return turn

    def append(self, conversation_id: str, request: CompleteRequest) -> Turn:
        """One goes on; a turn of it runs from now on.

        Raises NotFoundError, InvalidRequestError if a turn runs already, OverloadedError if there is no room for more.
        """
        found = self._get(conversation_id)
        if found.busy:
            raise InvalidRequestError.at_field(
                "append.conversation_id", f"a turn of {conversation_id!r} still runs; wait for its end"
            )
        return self._turn(found, request)

    def fork(self, conversation_id: str, new_id: str) -> None:
        """A copy under a new id, without the turn that runs. Raises as `start` and `append` do."""
        found = self._get(conversation_id)
        if not found.data:
            raise InvalidRequestError.at_field(
                "fork.conversation_id", f"the first turn of {conversation_id!r} has not ended; there is nothing to copy"
            )
        self._check_free(new_id, "fork.new_conversation_id")
        self._take_room(len(found.data))
        copy = self._by_id[new_id] = Conversation(new_id)
        copy.data, copy.messages = found.data, found.messages

    def forget(self, conversation_id: str) -> None:
        """Frees it. Raises NotFoundError."""
        found = self._get(conversation_id)
        del self._by_id[conversation_id]
        self.room.give_back(len(found.data))

    def _turn(self, conversation: Conversation, request: CompleteRequest) -> Turn:
        asked = conversation.turn(request)
        new = max(asked.ByteSize() - len(conversation.data), 0)
        self._take_room(new)
        conversation.busy = True
        return Turn(self, conversation, asked, new)

    def _get(self, conversation_id: str) -> Conversation:
        found = self._by_id.get(conversation_id)
        if found is None:
            raise NotFoundError(f"there is no conversation {conversation_id[:MAX_ID_BYTES]!r} in this session")
        return found

    def _check_free(self, conversation_id: str, field: str) -> None:
        if not 0 < len(conversation_id.encode()) <= MAX_ID_BYTES:
            raise InvalidRequestError.at_field(field, f"1 to {MAX_ID_BYTES} bytes")
        if conversation_id in self._by_id:
            raise InvalidRequestError.at_field(field, f"there is a conversation {conversation_id!r} already")
        if len(self._by_id) >= self._max_conversations:
            raise OverloadedError(
                f"this session keeps {self._max_conversations} conversations, which is all it may; forget one"
            )

    def _take_room(self, size: int) -> None:
        if self.room.take(size):
            return
        if self.room.used + size > self.room.limit:
            raise OverloadedError(
                f"the conversations of this session have {self.room.used} bytes, {size} more were needed, and "
                f"{self.room.limit} is the most; forget some"
            )
        raise OverloadedError("the conversations of all sessions have as many bytes as the gateway keeps")
