"""The contract: every message, enum and stub of protos/trunkline/v1 under one name."""

from collections.abc import Iterable

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from trunkline.v1.citation_pb2 import (
    Citation,
    TokenLogprob,
)
from trunkline.v1.completion_pb2 import (
    AudioOutput,
    Choice,
    CompleteRequest,
    CompleteResponse,
    FinishReason,
    FormatKind,
    Modality,
    PromptCache,
    PromptCacheMode,
    ReasoningConfig,
    ReasoningContext,
    ReasoningDisplay,
    ReasoningEffort,
    ResponseFormat,
    Verbosity,
)
from trunkline.v1.completion_service_pb2 import (
    CountTokensRequest,
    CountTokensResponse,
    StreamCompleteRequest,
    StreamCompleteResponse,
)
from trunkline.v1.completion_service_pb2_grpc import (
    CompletionServiceServicer,
    CompletionServiceStub,
    add_CompletionServiceServicer_to_server,
)
from trunkline.v1.error_pb2 import (
    ErrorReason,
    Failure,
    FieldViolation,
)
from trunkline.v1.event_pb2 import (
    ChoiceFinishedEvent,
    Event,
    FailedEvent,
    FinishedEvent,
    HeartbeatEvent,
    PreviewEvent,
    ResumedEvent,
    StartedEvent,
    SummaryPiece,
)
from trunkline.v1.media_pb2 import (
    Audio,
    File,
    Image,
    ImageDetail,
    Media,
    Video,
)
from trunkline.v1.message_pb2 import (
    Message,
    Opaque,
    Part,
    Phase,
    ProviderState,
    Reasoning,
    Role,
    ServerToolCall,
    ServerToolResult,
    StateKind,
    ToolCall,
    ToolKind,
    ToolResult,
)
from trunkline.v1.model_pb2 import (
    Capabilities,
    Feature,
    Model,
    Pricing,
)
from trunkline.v1.model_service_pb2 import (
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
)
from trunkline.v1.model_service_pb2_grpc import (
    ModelServiceServicer,
    ModelServiceStub,
    add_ModelServiceServicer_to_server,
)
from trunkline.v1.operations_service_pb2 import (
    GetMetricsRequest,
    GetMetricsResponse,
    ListRunningRequestsRequest,
    ListRunningRequestsResponse,
    ListTargetsRequest,
    ListTargetsResponse,
    RequestPhase,
    RunningRequest,
    TargetCondition,
    TargetState,
)
from trunkline.v1.operations_service_pb2_grpc import (
    OperationsServiceServicer,
    OperationsServiceStub,
    add_OperationsServiceServicer_to_server,
)
from trunkline.v1.routing_pb2 import (
    Attempt,
    AttemptOutcome,
    CacheMode,
    CachePolicy,
    NoteAction,
    PassedOver,
    Priority,
    Routing,
    RoutingReport,
    TranslationNote,
)
from trunkline.v1.tool_pb2 import (
    CustomTool,
    ServerTool,
    Tool,
    ToolChoice,
    ToolChoiceMode,
)
from trunkline.v1.usage_pb2 import (
    CacheWrite,
    Cost,
    CostSource,
    ModalityTokens,
    Usage,
)

__all__ = [
    "Attempt",
    "AttemptOutcome",
    "Audio",
    "AudioOutput",
    "CacheMode",
    "CachePolicy",
    "CacheWrite",
    "Capabilities",
    "Choice",
    "ChoiceFinishedEvent",
    "Citation",
    "CompleteRequest",
    "CompleteResponse",
    "CompletionServiceServicer",
    "CompletionServiceStub",
    "Cost",
    "CostSource",
    "CountTokensRequest",
    "CountTokensResponse",
    "CustomTool",
    "ErrorReason",
    "Event",
    "FailedEvent",
    "Failure",
    "Feature",
    "FieldViolation",
    "File",
    "FinishReason",
    "FinishedEvent",
    "FormatKind",
    "GetMetricsRequest",
    "GetMetricsResponse",
    "GetModelRequest",
    "GetModelResponse",
    "HeartbeatEvent",
    "Image",
    "ImageDetail",
    "ListModelsRequest",
    "ListModelsResponse",
    "ListRunningRequestsRequest",
    "ListRunningRequestsResponse",
    "ListTargetsRequest",
    "ListTargetsResponse",
    "Media",
    "Message",
    "Modality",
    "ModalityTokens",
    "Model",
    "ModelServiceServicer",
    "ModelServiceStub",
    "NoteAction",
    "Opaque",
    "OperationsServiceServicer",
    "OperationsServiceStub",
    "Part",
    "PassedOver",
    "Phase",
    "PreviewEvent",
    "Pricing",
    "Priority",
    "PromptCache",
    "PromptCacheMode",
    "ProviderState",
    "Reasoning",
    "ReasoningConfig",
    "ReasoningContext",
    "ReasoningDisplay",
    "ReasoningEffort",
    "RequestPhase",
    "ResponseFormat",
    "ResumedEvent",
    "Role",
    "Routing",
    "RoutingReport",
    "RunningRequest",
    "ServerTool",
    "ServerToolCall",
    "ServerToolResult",
    "StartedEvent",
    "StateKind",
    "StreamCompleteRequest",
    "StreamCompleteResponse",
    "SummaryPiece",
    "TargetCondition",
    "TargetState",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "ToolChoiceMode",
    "ToolKind",
    "ToolResult",
    "TranslationNote",
    "Usage",
    "Verbosity",
    "Video",
    "add_CompletionServiceServicer_to_server",
    "add_ModelServiceServicer_to_server",
    "add_OperationsServiceServicer_to_server",
]


def _as_attributes(enums: Iterable[object]) -> None:
    """protobuf looks a value of an enum up in Python each time it is named; an attribute costs 20 times less."""
    for enum in enums:
        if isinstance(enum, EnumTypeWrapper):
            for name, value in enum.items():
                setattr(enum, name, value)


_as_attributes(list(globals().values()))
