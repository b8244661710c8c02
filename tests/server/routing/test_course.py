"""One request's way through its targets, on a clock that the tests turn."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from targets import target_of
from trunkline.errors import (
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    GatewayError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderSilentError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
    UnsupportedByModelError,
)
from trunkline_server.providers.model_facts import ModelFacts
from trunkline_server.providers.target import Target
from trunkline_server.routing.course import MIN_CALL_S, SHARE, Course
from trunkline_server.routing.failures import FailureClass, classify
from trunkline_server.routing.health import ProcessHealth
from trunkline_server.routing.plan import Plan
from trunkline_server.routing.policy import Policy
from trunkline_server.routing.step import Go, Stop, Wait

START = 1000.0


def plan(count: int = 2, policy: Policy = Policy(), windows: tuple[int | None, ...] = ()) -> Plan:  # noqa: B008 frozen
    targets = [target_of("openai", provider=f"p{number}", model="m") for number in range(count)]
    for index, window in enumerate(windows):
        targets[index] = replace(targets[index], facts=ModelFacts(max_input_tokens=window))
    return Plan("m", targets, policy=policy)


def course_of(
    found: Plan, store: ProcessHealth | None = None, *, deadline_s: float = 60, stream: bool = True, seed: int = 1
) -> Course:
    rng = random.Random(seed)  # noqa: S311 it must be repeatable
    return Course(found, store or ProcessHealth(), rng, deadline=START + deadline_s, stream=stream)


def go(course: Course, now: float = START) -> tuple[Go, float]:
    """The next call and when it goes out, after whatever waits."""
    while True:
        step = course.next(now)
        match step:
            case Wait(until=until):
                now = until
            case Go():
                return step, now
            case Stop(error=error):
                raise error


def name(step: Go) -> str:
    return step.target.provider.name


def test_the_first_healthy_target_is_called() -> None:
    store = ProcessHealth()
    course = course_of(plan(3), store)
    step, _ = go(course)
    assert name(step) == "p0"
    course.answered(START)
    assert store.of(step.target).in_flight == 0


def test_a_throttled_target_is_waited_for_once_and_never_too_short() -> None:
    course = course_of(plan())
    go(course)
    course.failed(ProviderThrottledError("slow", retry_after_ms=2000), START)
    assert course.next(START) == Wait(START + 2)
    step, now = go(course)
    assert (name(step), now) == ("p0", START + 2)
    course.failed(ProviderThrottledError("slow", retry_after_ms=2000), now)
    step, at = go(course, now)
    assert (name(step), at) == ("p1", now)


@pytest.mark.parametrize(
    ("policy", "after_ms"),
    [(Policy(), 4000), (Policy(on_throttle="next"), 100), (Policy(max_retries=0), 100), (Policy(), 70_000)],
)
def test_a_throttled_target_is_left_where_waiting_is_no_use(policy: Policy, after_ms: int) -> None:
    store = ProcessHealth()
    course = course_of(plan(policy=policy), store)
    first, _ = go(course)
    course.failed(ProviderThrottledError("slow", retry_after_ms=after_ms), START)
    step, now = go(course)
    assert (name(step), now) == ("p1", START)
    assert store.of(first.target).usable_at(START) == START + after_ms / 1000


def test_a_failing_target_is_asked_again_after_a_random_wait_then_the_next() -> None:
    course, now, waits = course_of(plan(policy=Policy(max_retries=3))), START, []
    names = []
    for _ in range(5):
        step, at = go(course, now)
        waits.append(at - now)
        names.append(name(step))
        now = at + 0.01
        course.failed(ProviderUnavailableError("down"), now)
    assert names == ["p0"] * 4 + ["p1"]
    for number, wait_s in enumerate(waits[1:4]):
        assert 0 <= wait_s - 0 <= 0.5 * 2**number


def test_the_wait_before_a_retry_is_at_least_what_was_asked_for() -> None:
    course = course_of(plan())
    go(course)
    course.failed(ProviderUnavailableError("down", retry_after_ms=2500), START)
    _, now = go(course)
    assert now >= START + 2.5


def test_a_silent_target_is_not_asked_again_in_this_request() -> None:
    course = course_of(plan())
    go(course)
    course.failed(ProviderSilentError("?"), START + 10)
    step, _ = go(course, START + 10)
    assert name(step) == "p1"
    course.failed(ProviderSilentError("?"), START + 20)
    with pytest.raises(ProviderSilentError):
        go(course, START + 20)


def test_a_caller_in_a_hurry_makes_nobody_look_unwell() -> None:
    store = ProcessHealth()
    for _ in range(20):
        course = course_of(plan(), store, deadline_s=0.5)
        step, _ = go(course)
        course.failed(ProviderSilentError("?"), START + 0.2)
        course.abandoned()
        assert store.of(step.target).usable(START)


@pytest.mark.parametrize("error", [RejectedByProviderError("bad", provider_status=400), ContentFilterError("no")])
def test_what_the_caller_must_hear_is_told_at_once(error: GatewayError) -> None:
    course = course_of(plan())
    go(course)
    course.failed(error, START)
    assert course.next(START) == Stop(error)


def test_a_refusal_goes_on_only_where_the_route_says_so() -> None:
    course = course_of(plan(policy=Policy(fall_back_on_refusal=True)))
    go(course)
    course.failed(ContentFilterError("no"), START)
    assert name(go(course)[0]) == "p1"


@pytest.mark.parametrize(
    ("windows", "expected"),
    [((100, 100), None), ((100, 200), "p1"), ((100, None), None), ((None, 200), None), ((100, 50, 300), "p2")],
)
def test_a_prompt_that_was_too_large_goes_to_a_larger_window_only(
    windows: tuple[int | None, ...], expected: str | None
) -> None:
    course = course_of(plan(len(windows), windows=windows))
    go(course)
    course.failed(ContextLengthError("too long"), START)
    if expected is None:
        with pytest.raises(ContextLengthError):
            go(course)
    else:
        assert name(go(course)[0]) == expected


def test_the_time_is_shared_out_so_that_everybody_has_a_chance() -> None:
    course = course_of(plan(3), deadline_s=30, stream=False)
    step, _ = go(course)
    assert step.limit_at == START + SHARE * 30
    course.failed(ProviderSilentError("?"), START + 12)
    step, _ = go(course, START + 12)
    assert step.limit_at == START + 12 + SHARE * 18
    course.failed(ProviderSilentError("?"), START + 20)
    step, _ = go(course, START + 20)
    assert step.limit_at == START + 30


def test_a_stream_has_its_first_token_limit_besides() -> None:
    course = course_of(plan(1, Policy(first_token_s=5)), deadline_s=30)
    assert go(course)[0].limit_at == START + 5


def test_nothing_is_begun_that_cannot_end_in_time() -> None:
    course = course_of(plan(), deadline_s=MIN_CALL_S / 2)
    with pytest.raises(DeadlineError):
        go(course)
    course = course_of(plan(1), deadline_s=1)
    go(course)
    course.failed(ProviderThrottledError("slow", retry_after_ms=2000), START)
    with pytest.raises(ProviderThrottledError) as caught:
        go(course)
    assert caught.value.retry_after_ms == 2000


def test_all_cooling_is_told_with_the_time_when_the_first_is_back() -> None:
    store = ProcessHealth()
    for number, after_ms in enumerate((9000, 6000)):
        course = course_of(Plan("m", [plan().targets[number]]), store)
        go(course)
        course.failed(ProviderThrottledError("slow", retry_after_ms=after_ms), START)
    with pytest.raises(ProviderThrottledError) as caught:
        go(course_of(plan(), store), START + 1)
    assert caught.value.retry_after_ms == 5000


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ProviderCredentialsError("no"), ProviderCredentialsError), (ProviderQuotaError("no"), ProviderQuotaError)],
)
def test_refused_keys_are_told_as_such_while_they_are_spared(error: GatewayError, expected: type[GatewayError]) -> None:
    store = ProcessHealth()
    course = course_of(plan(1), store)
    go(course)
    course.failed(error, START)
    with pytest.raises(expected):
        go(course_of(plan(1), store), START + 1)


def test_the_most_telling_failure_is_told_not_the_last() -> None:
    course = course_of(plan(3, Policy(max_retries=0)))
    for error in (ProviderThrottledError("slow"), ProviderUnavailableError("down"), UnsupportedByModelError("no")):
        go(course)
        course.failed(error, START)
    with pytest.raises(ProviderThrottledError):
        go(course)


def test_a_busy_target_is_passed_over_while_another_is_free() -> None:
    store, found = ProcessHealth(), plan(2)
    targets = [replace(target, max_concurrent=1) for target in found.targets]
    found = replace(found, targets=targets)
    courses = [course_of(found, store) for _ in range(3)]
    assert [name(go(course)[0]) for course in courses] == ["p0", "p1", "p0"]
    for course in courses:
        course.abandoned()
    assert store.of(targets[0]).in_flight == 0


def test_an_answer_that_broke_off_is_gone_on_with_by_others_first() -> None:
    course = course_of(plan(3))
    go(course)
    course.broke_off(ProviderBadAnswerError("cut"), START, gave=True)
    step = course.resume(START, lambda target: target.provider.name != "p1")
    assert isinstance(step, Go)
    assert name(step) == "p2"


def test_who_broke_off_goes_on_himself_unless_he_was_silent() -> None:
    for error, expected in ((ProviderBadAnswerError("cut"), Go), (ProviderSilentError("?"), Stop)):
        course = course_of(plan(1))
        go(course)
        course.broke_off(error, START, gave=True)
        assert isinstance(course.resume(START, lambda target: True), expected)


def test_going_on_costs_no_retry_unless_it_is_the_same_target() -> None:
    store = ProcessHealth()
    course = course_of(plan(2), store)
    first, _ = go(course)
    course.broke_off(ProviderBadAnswerError("cut"), START, gave=True)
    second = course.resume(START, lambda target: True)
    assert isinstance(second, Go)
    assert store.of(first.target).retries_left(START) == 10
    course.broke_off(ProviderBadAnswerError("cut"), START, gave=True)
    third = course.resume(START, lambda target: True)
    assert isinstance(third, Go)
    assert [name(step) for step in (first, second, third)] == ["p0", "p1", "p0"]


def test_who_gave_nothing_is_not_asked_again() -> None:
    course = course_of(plan(2))
    go(course)
    course.broke_off(ProviderBadAnswerError("cut"), START, gave=True)
    course.resume(START, lambda target: True)
    course.broke_off(ProviderUnavailableError("down"), START, gave=False)
    names = []
    while isinstance(step := course.resume(START, lambda target: True), Go):
        names.append(name(step))
        course.broke_off(ProviderUnavailableError("down"), START, gave=False)
    assert names == ["p0"]


ERRORS: list[type[GatewayError]] = [
    ContentFilterError,
    ContextLengthError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderSilentError,
    ProviderThrottledError,
    ProviderUnavailableError,
    RejectedByProviderError,
    UnsupportedByModelError,
]


@settings(max_examples=300, deadline=None)
@given(
    count=st.integers(1, 5),
    retries=st.integers(0, 3),
    attempts=st.integers(1, 8),
    deadline_s=st.floats(0.01, 100),
    failures=st.lists(
        st.tuples(st.sampled_from(ERRORS), st.none() | st.integers(0, 10_000), st.floats(0, 5)),
        min_size=60,
        max_size=60,
    ),
    seed=st.integers(0, 100),
)
def test_whatever_fails_a_course_ends_within_its_bounds(
    count: int,
    retries: int,
    attempts: int,
    deadline_s: float,
    failures: list[tuple[type[GatewayError], int | None, float]],
    seed: int,
) -> None:
    store = ProcessHealth()
    found = plan(count, Policy(max_retries=retries, max_attempts=attempts))
    course = course_of(found, store, deadline_s=deadline_s, seed=seed)
    now, calls, last = START, [], None
    for kind, after_ms, took_s in failures:
        try:
            step, at = go(course, now)
        except GatewayError:
            break
        assert at <= course.deadline - MIN_CALL_S
        assert at <= step.limit_at <= course.deadline
        if last is not None:
            failure, error, target = last
            if target is step.target:
                assert failure not in (FailureClass.SILENT, FailureClass.REFUSED, FailureClass.REQUEST)
                if error.retry_after_ms is not None and failure is FailureClass.THROTTLED:
                    assert at - now >= error.retry_after_ms / 1000 - 1e-6
        calls.append(step.target)
        now = at + took_s
        error = kind("x", retry_after_ms=after_ms)
        course.failed(error, now)
        last = (classify(error), error, step.target)
        assert store.of(step.target).in_flight == 0
    else:
        pytest.fail("the course did not end")
    assert len(calls) <= attempts
    assert all(calls.count(target) <= retries + 1 for target in set_of(calls))


def set_of(targets: list[Target]) -> list[Target]:
    return list({target.name: target for target in targets}.values())
