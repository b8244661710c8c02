"""Recorded requests, said in the contract's words, reach the provider with the same meaning."""

import json

from gemini_requests import read, spelled
from recorded_gemini import target_of
from recorded_traffic import Record
from trunkline.errors import InvalidRequestError
from trunkline_server.config.settings import Limits
from trunkline_server.dialects.gemini import Gemini
from trunkline_server.engine.validation import validate

REFUSED = 400


def test_a_request_means_the_same_to_its_provider(request_record: Record) -> None:
    asked = request_record.request or {}
    target = target_of(request_record)
    request = read(asked, target)
    try:
        validate(request, Limits())
        wire = Gemini().encode(request, target, stream=request_record.stream)
    except InvalidRequestError:
        assert request_record.status == REFUSED
        return
    assert spelled(json.loads(wire.body)) == spelled(asked)
