"""Names of spans, attributes and events: OpenTelemetry's conventions where they have one, `trunkline.*` where not."""

from typing import Final

# The GenAI conventions moved out of OpenTelemetry's core ones and have no package of constants yet:
# https://github.com/open-telemetry/semantic-conventions-genai
GEN_AI_VERSION: Final = "1.42.0"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/gen-ai/{GEN_AI_VERSION}"
SCOPE: Final = "trunkline"
"""The instrumentation scope of all spans."""

# Spans. A model's name follows after a space.
REQUEST_SPAN: Final = "completion"
CHAT: Final = "chat"

# Stable conventions.
CLIENT_ADDRESS: Final = "client.address"
ERROR_TYPE: Final = "error.type"
EXCEPTION_TYPE: Final = "exception.type"
HTTP_STATUS_CODE: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

# GenAI conventions: on attempts only, because backends count whatever carries them.
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE_INPUT_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
FINISH_REASON_OF_ABORTED_OUTPUT: Final = "error"

# The gateway's own, on requests and attempts.
KEY: Final = "trunkline.key"
OUTCOME: Final = "trunkline.outcome"
PROJECT: Final = "trunkline.project"
PROVIDER_CODE: Final = "trunkline.provider_code"
REQUEST_ID: Final = "trunkline.request_id"
STREAM: Final = "trunkline.stream"
TARGET: Final = "trunkline.target"
TEAM: Final = "trunkline.team"
# On requests.
ATTEMPTS: Final = "trunkline.attempts"
CACHED: Final = "trunkline.cached"
JOINED: Final = "trunkline.joined"
MODEL: Final = "trunkline.model"
OVERHEAD_US: Final = "trunkline.overhead_us"
QUEUED_US: Final = "trunkline.queued_us"
RESUMED: Final = "trunkline.resumed"
ROUTE: Final = "trunkline.route"
STATUS: Final = "trunkline.status"
# On attempts.
ATTEMPT: Final = "trunkline.attempt"
COST_NANO_USD: Final = "trunkline.cost_nano_usd"
COST_SOURCE: Final = "trunkline.cost_source"
PRICE_VERSION: Final = "trunkline.price_version"
DIALECT: Final = "trunkline.dialect"
HEDGE: Final = "trunkline.hedge"
PROVIDER_REQUEST_ID: Final = "trunkline.provider_request_id"
USAGE_ESTIMATED: Final = "trunkline.usage_estimated"

# Metrics, and attributes that only they have. Prometheus adds units and _total.
REQUESTS_METRIC: Final = "trunkline.requests"
REQUEST_DURATION_METRIC: Final = "trunkline.request.duration"
FIRST_TOKEN_METRIC: Final = "trunkline.request.time_to_first_token"  # noqa: S105 tokens of a model
OVERHEAD_METRIC: Final = "trunkline.request.overhead"
ATTEMPTS_METRIC: Final = "trunkline.attempts"
RETRIES_METRIC: Final = "trunkline.retries"
FALLBACKS_METRIC: Final = "trunkline.fallbacks"
RESUMES_METRIC: Final = "trunkline.resumes"
TOKENS_METRIC: Final = "trunkline.tokens"
COST_METRIC: Final = "trunkline.cost.usd"
UNPRICED_METRIC: Final = "trunkline.attempts.unpriced"
TOKEN_USAGE_METRIC: Final = "gen_ai.client.token.usage"  # noqa: S105 tokens of a model
LOOP_LAG_METRIC: Final = "trunkline.event_loop.lag"
GC_PAUSE_METRIC: Final = "trunkline.gc.pause"
CPU_METRIC: Final = "process.cpu.time"
MEMORY_METRIC: Final = "process.memory.usage"
IN_FLIGHT_METRIC: Final = "trunkline.requests.in_flight"
BYTES_IN_FLIGHT_METRIC: Final = "trunkline.requests.bytes_in_flight"
TARGET_IN_FLIGHT_METRIC: Final = "trunkline.target.in_flight"
TARGET_QUEUED_METRIC: Final = "trunkline.target.queued"
TARGET_BREAKER_METRIC: Final = "trunkline.target.breaker"
TARGET_KEYS_METRIC: Final = "trunkline.target.usable_keys"
TARGET_RETRIES_LEFT_METRIC: Final = "trunkline.target.retries_left"
DROPPED_SPANS_METRIC: Final = "trunkline.spans.dropped"
FAILED_SPANS_METRIC: Final = "trunkline.spans.failed"
GC_GENERATION: Final = "gc.generation"
TOKEN_TYPE: Final = "trunkline.token_type"  # noqa: S105 tokens of a model
GEN_AI_TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 tokens of a model

# Events, and attributes that only they have.
FROM_TARGET: Final = "trunkline.from_target"
CANCEL_EVENT: Final = "trunkline.cancel"
EXCEPTION_EVENT: Final = "exception"
FALLBACK_EVENT: Final = "trunkline.fallback"
INFERENCE_DETAILS_EVENT: Final = "gen_ai.client.inference.operation.details"
RESUME_EVENT: Final = "trunkline.resume"
RETRY_EVENT: Final = "trunkline.retry"
FIRST_TOKEN_EVENT: Final = "trunkline.first_token"  # noqa: S105 a token of a model
