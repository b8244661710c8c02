"""What GET /metrics of a running gateway says, as Prometheus reads it."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from running_gateway import RunningGateway

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Samples by name and labels."""

PLAIN = {"error_type", "gen_ai_provider_name", "gen_ai_token_type", "gen_ai_request_model", "le"}
"""Labels that are not ours."""


async def figures_of(gateway: RunningGateway, key: str = "") -> Figures:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(gateway.rest_url.removesuffix("/v1") + "/metrics") as response,
    ):
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/plain; version=1.0.0")
        page = await response.text()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def figure(figures: Figures, name: str, **labels: str) -> float:
    """The one sample of that name that has these labels among its own."""
    wanted = {(f"trunkline_{label}" if label not in PLAIN else label, value) for label, value in labels.items()}
    found = [value for (sample, own), value in figures.items() if sample == name and wanted <= own]
    assert len(found) == 1, f"{len(found)} samples {name} with {labels}"
    return found[0]
