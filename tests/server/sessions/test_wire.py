"""Responses put together from bytes are those that protobuf would write of the same."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.v1 import ConversationState, ConverseResponse, Event, RequestEvents, StreamCompleteResponse
from trunkline_server.sessions.wire import converse_response, numbered, request_events, request_id_field, varint

NUMBERS = st.integers(1, 2**64 - 1)
EVENTS = st.builds(Event, text=st.text(), part=st.integers(0, 300))
BATCHES = st.lists(st.lists(EVENTS, min_size=1, max_size=3), min_size=1, max_size=3)


@given(BATCHES, NUMBERS, st.text(), st.booleans())
def test_batches_become_the_events_of_a_request(
    groups: list[list[Event]], first_event: int, request_id: str, ends: bool
) -> None:
    state = ConversationState(id="k", messages=2, kept=True) if ends else None
    batches = [StreamCompleteResponse(events=events, first_event=7).SerializeToString() for events in groups]
    data = request_events(
        batches, first_event, request_id_field(request_id), b"" if state is None else state.SerializeToString()
    )
    assert RequestEvents.FromString(data) == RequestEvents(
        events=[event for events in groups for event in events],
        first_event=first_event,
        request_id=request_id,
        conversation=state,
    )


@given(st.lists(st.text(max_size=200), min_size=1, max_size=4), NUMBERS)
def test_requests_become_a_response(names: list[str], sequence: int) -> None:
    batches = [RequestEvents(request_id=name, events=[Event(text=name * 100)], first_event=1) for name in names]
    data = converse_response([batch.SerializeToString() for batch in batches], sequence)
    assert ConverseResponse.FromString(data) == ConverseResponse(batches=batches, sequence=sequence)


@given(NUMBERS)
def test_a_notice_becomes_a_response(sequence: int) -> None:
    notice = ConverseResponse()
    notice.pong.token = 5
    found = ConverseResponse.FromString(numbered(notice.SerializeToString(), sequence))
    notice.sequence = sequence
    assert found == notice


@given(st.integers(0, 2**64 - 1))
def test_whole_numbers_are_written_as_protobuf_does(value: int) -> None:
    response = ConverseResponse(sequence=value)
    assert (response.SerializeToString() or b"\x10\x00") == b"\x10" + varint(value)
