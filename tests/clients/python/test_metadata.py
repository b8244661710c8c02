"""A call's context is the same after its way through gRPC metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.context import CallContext
from trunkline.errors import BadKeyError, InvalidRequestError
from trunkline.metadata import bearer, from_metadata, to_metadata
from trunkline.secret import NO_SECRET, Secret
from trunkline.v1 import Priority

# What a header can carry, HTTP's own blanks at either end aside.
HEADER_TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40).map(str.strip)
CONTEXTS = st.builds(
    CallContext,
    request_id=HEADER_TEXTS,
    credential=HEADER_TEXTS.map(Secret),
    traceparent=HEADER_TEXTS,
    tracestate=HEADER_TEXTS,
    baggage=HEADER_TEXTS,
    idempotency_key=HEADER_TEXTS,
    strict=st.none() | st.booleans(),
    priority=st.sampled_from(Priority.values()),
    client_address=HEADER_TEXTS,
)


@given(CONTEXTS)
def test_a_context_survives_the_way(context: CallContext) -> None:
    assert from_metadata(to_metadata(context)) == context


@given(CONTEXTS)
def test_names_and_values_are_what_grpc_takes(context: CallContext) -> None:
    for name, value in to_metadata(context):
        assert name == name.lower()
        assert value
        assert all(0x20 <= ord(character) <= 0x7E for character in value)


def test_what_is_not_in_metadata_comes_from_the_surface() -> None:
    context = from_metadata((), deadline=4.5, client_address="192.0.2.7", size_bytes=12)
    assert context == CallContext(deadline=4.5, client_address="192.0.2.7", size_bytes=12)
    assert to_metadata(context) == (("x-trunkline-client-address", "192.0.2.7"),)


def test_http_headers_serve_as_well() -> None:
    headers = {"authorization": "Bearer k", "x-request-id": "r", "x-trunkline-strict": "TRUE", "accept": "*/*"}
    assert from_metadata(headers) == CallContext(request_id="r", credential=Secret("k"), strict=True)


def test_binary_metadata_is_not_text() -> None:
    assert from_metadata([("x-request-id", b"\xff"), ("other-bin", b"\x00")]) == CallContext()


@pytest.mark.parametrize("name", ["x-trunkline-strict", "x-trunkline-priority"])
def test_a_value_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        from_metadata({name: "perhaps"})
    assert [violation.field for violation in caught.value.violations] == [name]


UNSENDABLE = ["caf\u00e9", "line\nbreak", "nul\0"]


@pytest.mark.parametrize(
    ("context", "name"),
    [(CallContext(request_id=value), "x-request-id") for value in UNSENDABLE]
    + [(CallContext(idempotency_key=value), "idempotency-key") for value in UNSENDABLE],
    ids=repr,
)
def test_what_no_header_can_carry_is_refused_by_name(context: CallContext, name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        to_metadata(context)
    assert [violation.field for violation in caught.value.violations] == [name]


@pytest.mark.parametrize("value", UNSENDABLE)
def test_broken_trace_context_is_left_out(value: str) -> None:
    context = CallContext(
        request_id="r", traceparent=value, tracestate=value, baggage=value, client_address=value, strict=False
    )
    assert to_metadata(context) == (("x-request-id", "r"), ("x-trunkline-strict", "false"))


def test_a_key_that_no_header_can_carry_is_a_bad_key_and_stays_secret() -> None:
    with pytest.raises(BadKeyError) as caught:
        to_metadata(CallContext(credential=Secret("sk-\u00e9\n")))
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer k", Secret("k")),
        ("bearer  k ", Secret("k")),
        ("BEARER k", Secret("k")),
        ("Bearer", NO_SECRET),
        ("Bearer ", NO_SECRET),
        ("Basic dTpw", NO_SECRET),
        ("k", NO_SECRET),
        ("", NO_SECRET),
    ],
)
def test_the_key_is_a_bearer_token(header: str, key: Secret) -> None:
    assert bearer(header) == key
