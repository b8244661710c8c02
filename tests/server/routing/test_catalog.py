"""What a model name means."""

import pytest

from trunkline.errors import NotFoundError
from trunkline_server.providers.kinds import ProviderKind
from trunkline_server.providers.target import Provider
from trunkline_server.routing.catalog import Catalog

KIND = ProviderKind(name="openai_compatible", dialect="openai_chat")


def provider(name: str) -> Provider:
    return Provider(name=name, kind=KIND, base_url=f"http://{name}.test/v1")


def catalog() -> Catalog:
    return Catalog(
        [provider("a"), provider("b"), provider("shut")],
        routes={"fast": ["a/small", "b/org/small"], "big": ["b/big"]},
        offers={"b": ["big", "shared"], "a": ["shared"], "shut": ["only"]},
        owners={"fast": "us"},
        closed=["shut"],
    )


@pytest.mark.parametrize(
    ("model", "targets", "route"),
    [
        ("fast", ["a/small", "b/org/small"], "fast"),
        ("big", ["b/big"], "big"),  # a configured name wins over an offered id
        ("b/big", ["b/big"], ""),
        ("shared", ["b/shared"], ""),  # the first provider that offers it
        ("a/shared", ["a/shared"], ""),
        ("a/anything/at:all", ["a/anything/at:all"], ""),
        ("shut/only", ["shut/only"], ""),
        ("only", ["shut/only"], ""),
    ],
)
def test_a_name_means_its_targets_in_order(model: str, targets: list[str], route: str) -> None:
    plan = catalog().plan(model)
    assert ([target.name for target in plan.targets], plan.route, plan.model) == (targets, route, model)


@pytest.mark.parametrize("model", ["nothing", "shut/other", "c/x", "a/", "/a", "", "b", "a" * 10_000])
def test_an_unknown_name_is_not_found(model: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        catalog().plan(model)
    assert len(caught.value.message) < 400


def test_a_misspelt_name_gets_similar_ones() -> None:
    with pytest.raises(NotFoundError, match="did you mean fast"):
        catalog().plan("fats")


def test_models_are_listed_once_under_the_name_that_always_works() -> None:
    listed = [(model.id, model.owner, list(model.targets)) for model in catalog().models()]
    assert listed == [
        ("a/shared", "a", ["a/shared"]),
        ("b/big", "b", ["b/big"]),
        ("b/shared", "b", ["b/shared"]),
        ("big", "b", ["b/big"]),
        ("fast", "us", ["a/small", "b/org/small"]),
        ("shut/only", "shut", ["shut/only"]),
    ]


def test_what_discovery_finds_makes_a_new_catalog() -> None:
    before = catalog()
    after = before.offering(provider("c"), ["found"])
    assert after.plan("found").targets[0].name == "c/found"
    assert after.plan("fast").targets == before.plan("fast").targets
    with pytest.raises(NotFoundError):
        before.plan("found")
    with pytest.raises(NotFoundError):
        after.plan("shut/other")


def test_a_route_to_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ValueError, match="'x/y'"):
        Catalog([provider("a")], routes={"m": ["x/y"]})
