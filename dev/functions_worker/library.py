"""Calls of Microsoft's worker library for the messages of the development host; the only module here that knows the library.

Like Azure's worker process it keeps no state of an invocation, and answers each message with one message.
"""

import asyncio
import gc
import sys
from dataclasses import dataclass
from typing import Any

import azure_functions_runtime

from dev.functions_worker import protos
from dev.functions_worker.invocation_task import enter_invocation
from dev.functions_worker.protos import StreamingMessage
from dev.wire import Message

HTTP_HOST = "127.0.0.1"
runtime: Any = azure_functions_runtime
"""Untyped."""


@dataclass
class WorkerRequest:
    """The argument of each of the library's entry points."""

    name: str
    request: StreamingMessage
    properties: dict[str, Any] | None = None


async def answer(message: Message) -> Message:
    """Return the library's answer to one message of the host."""
    return await _ANSWERS[message["type"]](message)


async def _worker_init(message: Message) -> Message:
    runtime.start_threadpool_executor()
    request = StreamingMessage(worker_init_request=protos.WorkerInitRequest(message["directory"]))
    properties = {"protos": protos, "host": HTTP_HOST}
    response = await runtime.worker_init_request(WorkerRequest("WorkerInitRequest", request, properties))
    return {"type": "worker_init", "capabilities": response.capabilities} | _status(response.result)


async def _functions_metadata(_message: Message) -> Message:
    request = StreamingMessage(functions_metadata_request=object())
    response = await runtime.functions_metadata_request(WorkerRequest("WorkerMetadataRequest", request))
    functions = [
        {"name": one.name, "function_id": one.function_id, "bindings": one.raw_bindings}
        for one in response.function_metadata_results or ()
    ]
    return {"type": "functions_metadata", "functions": functions} | _status(response.result)


async def _function_load(message: Message) -> Message:
    load = protos.FunctionLoadRequest(message["function_id"])
    request = StreamingMessage(function_load_request=load)
    response = await runtime.function_load_request(WorkerRequest("FunctionLoadRequest", request))
    return {"type": "function_load", "function_id": response.function_id} | _status(response.result)


async def _invocation(message: Message) -> Message:
    enter_invocation(message["invocation_id"])
    http = protos.RpcHttp(params=message["params"])
    invocation = protos.InvocationRequest(
        invocation_id=message["invocation_id"],
        function_id=message["function_id"],
        input_data=[protos.ParameterBinding(message["input"], protos.TypedData(http=http))],
        trigger_metadata={name: protos.TypedData(**data) for name, data in message["trigger_metadata"].items()},
        trace_context=protos.RpcTraceContext(message["trace_parent"], message["trace_state"]),
    )
    request = StreamingMessage(invocation_request=invocation)
    response = await runtime.invocation_request(WorkerRequest("FunctionInvocationRequest", request))
    return {"type": "invocation", "invocation_id": message["invocation_id"]} | _status(response.result)


async def _contents(_message: Message) -> Message:
    """Count tasks and memory blocks, for tests; the real host has no such message. The task that answers is not counted."""
    gc.collect()
    tasks, blocks = len(asyncio.all_tasks()) - 1, sys.getallocatedblocks()
    return {"type": "contents", "tasks": tasks, "blocks": blocks, "ok": True}


def _status(result: protos.StatusResult) -> Message:
    failure = result.exception or protos.RpcException()
    succeeded = result.status == protos.StatusResult.Success
    return {"ok": succeeded, "error": failure.message, "stack_trace": failure.stack_trace}


_ANSWERS = {
    "worker_init": _worker_init,
    "functions_metadata": _functions_metadata,
    "function_load": _function_load,
    "invocation": _invocation,
    "contents": _contents,
}
