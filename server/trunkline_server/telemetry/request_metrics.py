"""What is counted of requests and their attempts, once each is settled and from its record alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trunkline.v1 import Attempt, AttemptOutcome, Usage
from trunkline_server.telemetry import names, outcomes
from trunkline_server.telemetry.gen_ai_tokens import NewestTokens, TokenMetrics, TokensOfToday
from trunkline_server.telemetry.instruments import (
    OVERFLOW,
    Bins,
    Counter,
    Description,
    Histogram,
    Instruments,
    Values,
)
from trunkline_server.telemetry.peers import Peer
from trunkline_server.values.record import RequestRecord

NANO: Final = 1_000_000_000
US: Final = 1_000_000

# https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md
DURATION_S: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
CHUNK_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24)
# The gateway's own share is far below what its providers take.
OVERHEAD_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

_PEER_ATTRIBUTES: Final = (
    names.OPERATION_NAME,
    names.PROVIDER_NAME,
    names.REQUEST_MODEL,
    names.SERVER_ADDRESS,
    names.SERVER_PORT,
)
MAX_ANSWERED: Final = 500
"""Most targets that only clients named and that figures tell apart."""
_OPTIONAL_TOKENS: Final = ("cache_read", "cache_write", "reasoning")


@dataclass(frozen=True, slots=True)
class GenAiNames:
    """One edition of the conventions' names for what both editions measure."""

    duration: str
    time_to_first_chunk: str
    time_per_output_chunk: str
    tokens: Callable[[Instruments, Sequence[str]], TokenMetrics]
    """How it counts tokens."""


TODAY: Final = GenAiNames(
    "gen_ai.client.operation.duration",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk",
    TokensOfToday,
)
"""What backends know."""
NEWEST: Final = GenAiNames(
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.inference.time_per_output_chunk",
    NewestTokens,
)
"""What OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental asks for."""


class RequestMetrics:
    """Counts settled requests. Nothing is counted of content, and no attribute holds what a caller may choose freely:
    models, routes and targets stand for what the configuration names, see docs/observability.md.
    """

    def __init__(self, instruments: Instruments, peers: Mapping[str, Peer], *, gen_ai: Sequence[GenAiNames]) -> None:
        """`gen_ai` are the editions of the conventions to go by, at least one."""
        self._peers = peers
        self.is_known: Callable[[str], bool] = lambda name: True
        """Whether the configuration or a provider's list names this model or target."""
        self._answered: set[str] = set()
        """Targets that only clients named, and that have answered."""
        self._requests = Counter(
            Description(
                name=names.REQUESTS_METRIC,
                unit="{request}",
                text="Requests settled.",
                attributes=(names.MODEL, names.PROJECT, names.OUTCOME, names.ERROR_TYPE, names.STREAM),
            )
        )
        self._durations = Histogram(
            Description(
                name=names.REQUEST_DURATION_METRIC,
                unit="s",
                text="Time from a request's arrival to its end.",
                attributes=(names.MODEL, names.OUTCOME, names.STREAM),
            ),
            DURATION_S,
        )
        self._first_tokens = Histogram(
            Description(
                name=names.FIRST_TOKEN_METRIC,
                unit="s",
                text="Time from a streamed request's arrival to its first content.",
                attributes=(names.MODEL,),
            ),
            DURATION_S,
        )
        self._overheads = Histogram(
            Description(
                name=names.OVERHEAD_METRIC,
                unit="s",
                text="Time that the gateway itself took for a request, without waits; of a stream until its first content.",
                attributes=(names.STREAM,),
            ),
            OVERHEAD_S,
        )
        self._attempts = Counter(
            Description(
                name=names.ATTEMPTS_METRIC,
                unit="{attempt}",
                text="Calls made to targets.",
                attributes=(names.TARGET, names.OUTCOME, names.ERROR_TYPE),
            )
        )
        self._retries = Counter(
            Description(
                name=names.RETRIES_METRIC,
                unit="{attempt}",
                text="Calls that repeated one to the same target, by what had gone wrong.",
                attributes=(names.TARGET, names.ERROR_TYPE),
            )
        )
        self._fallbacks = Counter(
            Description(
                name=names.FALLBACKS_METRIC,
                unit="{attempt}",
                text="Calls that took over from another target, by the target given up and what had gone wrong there.",
                attributes=(names.TARGET, names.ERROR_TYPE),
            )
        )
        self._resumes = Counter(
            Description(
                name=names.RESUMES_METRIC,
                unit="{request}",
                text="Answers that another target went on with after they had broken off.",
                attributes=(names.TARGET,),
            )
        )
        self._tokens = Counter(
            Description(
                name=names.TOKENS_METRIC,
                unit="{token}",
                text="Tokens used. cache_read and cache_write are part of input, reasoning is part of output.",
                attributes=(names.MODEL, names.TARGET, names.PROJECT, names.TOKEN_TYPE),
            )
        )
        self._cost = Counter(
            Description(
                name=names.COST_METRIC,
                unit="{USD}",
                text="What attempts cost, as far as it is known.",
                attributes=(names.MODEL, names.TARGET, names.PROJECT),
            ),
            scale=NANO,
        )
        self._unpriced = Counter(
            Description(
                name=names.UNPRICED_METRIC,
                unit="{attempt}",
                text="Attempts that used tokens and whose cost is not known.",
                attributes=(names.TARGET,),
            )
        )
        self._gen_ai_durations = [_seconds(edition.duration, "GenAI operation duration.") for edition in gen_ai]
        self._first_chunks = [
            _seconds(edition.time_to_first_chunk, "Time to the first chunk of a stream.", error=False)
            for edition in gen_ai
        ]
        self._chunks = [
            _seconds(edition.time_per_output_chunk, "Time between two chunks of a stream.", CHUNK_S, error=False)
            for edition in gen_ai
        ]
        instruments.add(
            self._requests,
            self._durations,
            self._first_tokens,
            self._overheads,
            self._attempts,
            self._retries,
            self._fallbacks,
            self._resumes,
            self._tokens,
            self._cost,
            self._unpriced,
            *self._gen_ai_durations,
            *self._first_chunks,
            *self._chunks,
        )
        self._gen_ai_tokens = [edition.tokens(instruments, _PEER_ATTRIBUTES) for edition in gen_ai]

    def shows(self, name: str) -> bool:
        """Whether figures may carry this model's or target's name.

        With an open provider a client may ask for whatever it likes. What it asks for has a name here once the provider
        has answered to it, and so many at most: nobody can crowd out the others.
        """
        return name in self._answered or self.is_known(name)

    def chunks_of(self, provider: str, model: str) -> Sequence[Bins]:
        """Where the time between two chunks of a target's stream goes, in seconds, to be looked up once an attempt."""
        values = self._peer_values(provider, model if self.shows(f"{provider}/{model}") else OVERFLOW)
        return [histogram.at(values) for histogram in self._chunks]

    def settled(self, record: RequestRecord) -> None:
        """Counts a settled request and its attempts."""
        report, failure = record.report, record.failure
        for attempt in report.attempts:
            if attempt.outcome == AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED and not self.shows(attempt.target):
                self._learn(attempt.target)
        # A name that led to no target is whatever the caller wrote.
        model = record.model if report.attempts or report.target or report.route else ""
        if model and not report.route and not self.shows(model):
            model = OVERFLOW
        outcome = outcomes.outcome(failure)
        error = outcomes.reason_name(failure) if failure is not None and outcome == outcomes.FAILED else ""
        stream = "true" if record.stream else "false"
        project = record.principal.project
        self._requests.add((model, project, outcome, error, stream))
        self._durations.at((model, outcome, stream)).add(report.duration_us / US)
        if record.stream and report.HasField("first_token_us"):
            self._first_tokens.at((model,)).add(report.first_token_us / US)
        self._overheads.at((stream,)).add(report.overhead_us / US)
        if report.resumed:
            self._resumes.add((report.target if self.shows(report.target) else OVERFLOW,))
        before: Attempt | None = None
        for attempt in report.attempts:
            self._attempt(record, attempt, model)
            # After a pause the same target goes on, which is no retry.
            if before is not None and not attempt.hedge and before.HasField("failure"):
                counter = self._retries if before.target == attempt.target else self._fallbacks
                given_up = outcomes.reason_name(before.failure)
                counter.add((before.target if self.shows(before.target) else OVERFLOW, given_up))
            before = attempt

    def _learn(self, target: str) -> None:
        if len(self._answered) < MAX_ANSWERED:
            self._answered.add(target)

    def _attempt(self, record: RequestRecord, attempt: Attempt, model: str) -> None:
        shown = self.shows(attempt.target)
        target, project = attempt.target if shown else OVERFLOW, record.principal.project
        outcome = outcomes.OUTCOMES[attempt.outcome]
        failed = attempt.outcome in outcomes.FAULTS
        error = (outcomes.reason_name(attempt.failure) if attempt.HasField("failure") else outcome) if failed else ""
        self._attempts.add((target, outcome, error))
        values = self._peer_values(attempt.provider, attempt.model if shown else OVERFLOW)
        answered = attempt.outcome == AttemptOutcome.ATTEMPT_OUTCOME_ANSWERED
        response_model = (record.response_model if shown else OVERFLOW) if answered else ""
        for histogram in self._gen_ai_durations:
            histogram.at((*values, error)).add(attempt.duration_us / US)
        if record.stream and attempt.HasField("first_token_us"):
            for histogram in self._first_chunks:
                histogram.at(values).add(attempt.first_token_us / US)
        if attempt.HasField("usage"):
            self._usage((model, target, project), attempt.usage)
            for tokens in self._gen_ai_tokens:
                tokens.add(values, response_model, attempt.usage)
        elif failed:
            for tokens in self._gen_ai_tokens:
                tokens.add_none(values)
        if attempt.cost.HasField("nano_usd"):
            self._cost.add((model, target, project), attempt.cost.nano_usd)
        elif attempt.HasField("usage"):
            self._unpriced.add((target,))

    def _usage(self, owner: Values, usage: Usage) -> None:
        self._tokens.add((*owner, "input"), usage.input_tokens)
        self._tokens.add((*owner, "output"), usage.output_tokens)
        for kind in _OPTIONAL_TOKENS:
            if count := getattr(usage, f"{kind}_tokens"):
                self._tokens.add((*owner, kind), count)

    def _peer_values(self, provider: str, model: str) -> Values:
        peer = self._peers.get(provider) or Peer(provider)
        return (names.CHAT, peer.name, model, peer.address, str(peer.port or ""))


def _seconds(name: str, text: str, bounds: Sequence[float] = DURATION_S, *, error: bool = True) -> Histogram:
    attributes = (*_PEER_ATTRIBUTES, names.ERROR_TYPE) if error else _PEER_ATTRIBUTES
    return Histogram(Description(name=name, unit="s", text=text, attributes=attributes), bounds)
