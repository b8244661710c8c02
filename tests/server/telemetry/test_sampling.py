import logging
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import sampling as sdk

from trunkline_server.telemetry.sampling import FOLLOW_CALLER, Sampler, sampler_of

ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"OTEL_TRACES_SAMPLER": "always_on"},
    {"OTEL_TRACES_SAMPLER": "always_off"},
    {"OTEL_TRACES_SAMPLER": "parentbased_always_on"},
    {"OTEL_TRACES_SAMPLER": "parentbased_always_off"},
    {"OTEL_TRACES_SAMPLER": "Always_Off"},
    *(
        {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": ratio}
        for name in ("traceidratio", "parentbased_traceidratio")
        for ratio in ("0", "0.01", "0.5", "1", "1.0")
    ),
]


def sdk_decides(environ: Mapping[str, str], trace_id: int, *, parent_sampled: bool | None) -> bool:
    """What the SDK's own sampler says for the same variables."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        sampler = sdk._get_from_env_or_default()
    context = None
    if parent_sampled is not None:
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if parent_sampled else trace.TraceFlags.DEFAULT)
        parent = trace.SpanContext(trace_id, 1, is_remote=True, trace_flags=flags)
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    return sampler.should_sample(context, trace_id, "name").decision is sdk.Decision.RECORD_AND_SAMPLE


@given(st.sampled_from(ENVIRONMENTS), st.integers(1, 2**128 - 1), st.sampled_from([None, True, False]))
def test_it_decides_as_the_sdk_does(environ: dict[str, str], trace_id: int, parent: bool | None) -> None:
    decided = sampler_of(environ).samples(trace_id, parent_sampled=parent)
    assert decided == sdk_decides(environ, trace_id, parent_sampled=parent)


@pytest.mark.parametrize(
    ("environ", "sampler"),
    [
        ({"OTEL_TRACES_SAMPLER": "jaeger_remote"}, Sampler()),
        ({"OTEL_TRACES_SAMPLER": "traceidratio"}, Sampler(parent_based=False)),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, Sampler(parent_based=False)),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "nan"}, Sampler(parent_based=False)),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "half"}, Sampler()),
    ],
)
def test_what_is_not_known_is_said_and_replaced(
    environ: dict[str, str], sampler: Sampler, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert sampler_of(environ, keep_failures=False) == sampler
    assert "OTEL_TRACES_SAMPLER" in caplog.text


@pytest.mark.parametrize(
    ("sampler", "parent", "left_open"),
    [
        ("parentbased_traceidratio", None, True),
        ("parentbased_traceidratio", False, False),
        ("traceidratio", False, True),
        ("parentbased_always_on", None, True),  # of a caller that has left it to chance
        ("always_off", None, False),
        ("parentbased_always_off", None, False),
    ],
)
def test_only_what_chance_alone_leaves_out_is_recorded_if_it_fails(
    sampler: str, *, parent: bool | None, left_open: bool
) -> None:
    environ = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": "0"}
    assert sampler_of(environ).leaves_open(parent_sampled=parent) is left_open
    assert not sampler_of(environ, keep_failures=False).leaves_open(parent_sampled=parent)


def test_a_process_that_exports_nothing_begins_no_recorded_trace() -> None:
    decisions = [FOLLOW_CALLER.samples(1, parent_sampled=parent) for parent in (None, True, False)]
    assert decisions == [False, True, False]
