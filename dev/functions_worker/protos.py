"""Stand-ins for the protobuf classes that the worker library takes as a namespace; plain values, nothing serialised.

Only what an app with HTTP triggers makes the library touch. The names are those of FunctionRpc.proto.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass
class RpcException:
    message: str = ""
    stack_trace: str = ""
    source: str = ""


@dataclass
class StatusResult:
    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1
    Cancelled: ClassVar[int] = 2
    status: int = 0
    exception: RpcException | None = None


@dataclass
class WorkerMetadata:
    runtime_name: str = ""
    runtime_version: str = ""
    worker_version: str = ""
    worker_bitness: str = ""
    custom_properties: dict[str, str] = field(default_factory=dict)


@dataclass
class WorkerInitRequest:
    function_app_directory: str
    capabilities: dict[str, str] = field(default_factory=dict)


@dataclass
class WorkerInitResponse:
    result: StatusResult
    capabilities: dict[str, str] = field(default_factory=dict)
    worker_metadata: WorkerMetadata | None = None


@dataclass
class BindingInfo:
    undefined: ClassVar[int] = 0
    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2
    type: str = ""
    data_type: int | None = None
    direction: int = 0


@dataclass
class RpcRetryOptions:
    max_retry_count: int = 0
    retry_strategy: Any = None
    delay_interval: Any = None
    minimum_interval: Any = None
    maximum_interval: Any = None


@dataclass
class RpcFunctionMetadata:
    name: str
    function_id: str
    directory: str = ""
    script_file: str = ""
    entry_point: str = ""
    language: str = ""
    is_proxy: bool = False
    managed_dependency_enabled: bool = False
    bindings: dict[str, BindingInfo] = field(default_factory=dict)
    raw_bindings: list[str] = field(default_factory=list)
    retry_options: RpcRetryOptions | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass
class FunctionMetadataResponse:
    result: StatusResult
    use_default_metadata_indexing: bool = False
    function_metadata_results: list[RpcFunctionMetadata] | None = None


@dataclass
class FunctionLoadRequest:
    function_id: str


@dataclass
class FunctionLoadResponse:
    function_id: str
    result: StatusResult


@dataclass
class RpcHttp:
    """Empty but for the route's parameters, as the real host sends it when the request itself is proxied."""

    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: "TypedData" = field(default_factory=lambda: TypedData())
    status_code: str = ""


@dataclass
class TypedData:
    http: RpcHttp | None = None
    string: str | None = None
    json: str | None = None
    bytes: Any = None
    int: Any = None
    double: Any = None

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's own name
        return next((name for name, value in vars(self).items() if value is not None), None)


@dataclass
class ParameterBinding:
    name: str
    data: TypedData

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's own name
        return "data"


@dataclass
class RpcTraceContext:
    trace_parent: str = ""
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class RetryContext:
    retry_count: int = 0
    max_retry_count: int = 0
    exception: RpcException = field(default_factory=RpcException)


@dataclass
class InvocationRequest:
    invocation_id: str
    function_id: str
    input_data: list[ParameterBinding]
    trigger_metadata: dict[str, TypedData]
    trace_context: RpcTraceContext = field(default_factory=RpcTraceContext)
    retry_context: RetryContext = field(default_factory=RetryContext)


@dataclass
class InvocationResponse:
    invocation_id: str
    result: StatusResult
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = field(default_factory=list)


@dataclass
class StreamingMessage:
    """What the library reads a request from: one of the fields is set."""

    worker_init_request: WorkerInitRequest | None = None
    functions_metadata_request: object | None = None
    function_load_request: FunctionLoadRequest | None = None
    invocation_request: InvocationRequest | None = None
