"""What recorded answers cost is what genai-prices reads and calculates from their bodies by itself."""

from collections import Counter
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN

import pytest
from genai_prices import calc_price, extract_usage

from recorded_chat import CHAT, answer_of, target_of, vendor_body
from recorded_traffic import NO_RECORDS, Record
from trunkline_server.providers.price_list import PriceLists

LISTS = PriceLists()
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
NANO = 1_000_000_000
# Its cached tokens are priced by genai-prices but not read by it.
MISTRAL = "mistral"
FLAVORS = {"openai": "chat", "azure": "chat", "openrouter": "chat"}


def ours(record: Record, list_name: str, model: str) -> int | None:
    answer = answer_of(record)
    prices = LISTS.prices(list_name, model)
    if prices is None or not answer.HasField("usage"):
        return None
    cost = prices.cost(answer.usage, "", AT.timestamp())
    return None if cost is None else cost.nano_usd


def theirs(record: Record, list_name: str, model: str) -> int | None:
    try:
        body = vendor_body(record)
        usage = extract_usage(body, provider_id=list_name, api_flavor=FLAVORS.get(list_name, "default")).usage
        if list_name == MISTRAL:
            usage.cache_read_tokens = body["usage"].get("num_cached_tokens")
        found = calc_price(usage, model, provider_id=list_name, genai_request_timestamp=AT).total_price
    except (LookupError, ValueError):
        return None
    return int((found * NANO).to_integral_value(ROUND_HALF_EVEN))


@pytest.mark.skipif(not CHAT.records, reason=NO_RECORDS)
def test_recorded_answers_cost_what_genai_prices_says(capsys: pytest.CaptureFixture[str]) -> None:
    wrong, compared = [], Counter[str]()
    for record in CHAT.by_aspect["answer"]:
        if record.id in CHAT.exceptions["answer"] or not (list_name := target_of(record).provider.kind.price_list):
            continue
        model = vendor_body(record).get("model") or target_of(record).model
        mine, other = ours(record, list_name, model), theirs(record, list_name, model)
        if other is None:
            continue  # it cannot read this vendor's usage, or has no price
        compared[record.provider] += 1
        if mine != other:
            wrong.append((record.id, record.provider, model, mine, other))
    with capsys.disabled():
        print(f"\ncosts compared: {dict(compared)}")  # noqa: T201 how much was checked is what one wants to see
    assert wrong == []
