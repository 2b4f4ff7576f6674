"""W3C trace context: where an answer's trace comes from, which ids its spans have, and whether it is sampled. Pure.

https://www.w3.org/TR/trace-context/ has the form of `traceparent` and `tracestate`.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(r"[ -~]{1,512}")
_SAMPLED = 1
_LOWER_HALF = 1 << 64


class HostTrace(Protocol):
    """The trace context that the Functions host gives an invocation; None or '' for what it does not have."""

    @property
    def trace_parent(self) -> str | None:
        """Return the `traceparent` of the host's own activity."""

    @property
    def trace_state(self) -> str | None:
        """Return its `tracestate`."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One span as others refer to it. The ids are lower-case hexadecimal, of 32 and 16 digits."""

    trace_id: str
    span_id: str
    is_sampled: bool
    state: str = ""
    """The `tracestate`, which is passed on as it is."""

    @classmethod
    def parse(cls, parent: str, state: str = "") -> "TraceContext | None":
        """Return what the two headers say; None where the first is not valid. A `tracestate` that is not is left out."""
        found = _PARENT.fullmatch(parent)
        if found is None or (found[1] == "00" and found[5] is not None):
            return None
        return cls(
            trace_id=found[2],
            span_id=found[3],
            is_sampled=bool(int(found[4], 16) & _SAMPLED),
            state=state if _STATE.fullmatch(state) else "",
        )


def parent_of(host: HostTrace | None, headers: Mapping[str, str]) -> TraceContext | None:
    """Return the span that caused the request: the host's own activity, the caller's where the host has none."""
    if host is not None and host.trace_parent:
        found = TraceContext.parse(host.trace_parent, host.trace_state or "")
        if found is not None:
            return found
    return caller_of(headers)


def caller_of(headers: Mapping[str, str]) -> TraceContext | None:
    """Return the span that the caller's headers name; None where they name none."""
    parent = headers.get("traceparent", "")
    return TraceContext.parse(parent, headers.get("tracestate", "")) if parent else None


def new_span_id(bits: Callable[[int], int] = random.getrandbits) -> str:
    """Return an id that no other span has. It need not be secret: the system's random numbers cost several times as much."""
    return f"{bits(64) or 1:016x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTrace:
    """The trace of one answer: the ids of its own span and of that span's parent ('' for the first of a trace)."""

    trace_id: str
    span_id: str
    parent_id: str
    is_sampled: bool
    ratio: float = 1.0
    """The share of traces that are sampled like this one; 1 where another service decided."""
    state: str = ""

    def headers_up(self, span_id: str) -> dict[str, str]:
        """Return the headers with which a call of this answer, the span of that id, goes up."""
        headers = {"traceparent": f"00-{self.trace_id}-{span_id}-{'01' if self.is_sampled else '00'}"}
        return headers | {"tracestate": self.state} if self.state else headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracer:
    """How the answers of this process are traced; there is none where telemetry is off.

    `ratio`: the share of traces to sample where nobody has decided. `host_reports`: the Functions host exports telemetry of
    its own, so that its flag is a decision; a host that does not reports no trace as sampled, whatever the caller has decided.
    """

    ratio: float = 1.0
    host_reports: bool = False
    bits: Callable[[int], int] = random.getrandbits

    def begin(self, host: HostTrace | None, headers: Mapping[str, str]) -> AnswerTrace:
        """Return the trace of a new answer, below the span that caused its request."""
        parent = parent_of(host, headers)
        trace_id = parent.trace_id if parent is not None else f"{self.bits(128) or 1:032x}"
        decided = self._decided(parent, headers)
        return AnswerTrace(
            trace_id=trace_id,
            span_id=new_span_id(self.bits),
            parent_id=parent.span_id if parent is not None else "",
            is_sampled=self._is_in_share(trace_id) if decided is None else decided,
            ratio=self.ratio if decided is None else 1.0,
            state=parent.state if parent is not None else "",
        )

    def _decided(self, parent: TraceContext | None, headers: Mapping[str, str]) -> bool | None:
        """Return whether the trace is sampled; None where nobody has decided."""
        if parent is None or parent.is_sampled or self.host_reports:
            return None if parent is None else parent.is_sampled
        caller = caller_of(headers)
        return caller.is_sampled if caller is not None and caller.trace_id == parent.trace_id else None

    def _is_in_share(self, trace_id: str) -> bool:
        """Return the same for the same trace in every process, as other libraries decide it too."""
        return int(trace_id[16:], 16) < self.ratio * _LOWER_HALF
