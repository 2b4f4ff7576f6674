"""W3C trace context, and which answers are sampled."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.trace import AnswerTrace, TraceContext, Tracer, parent_of
from tests.harness.cells import cells

TRACE, CALLER, HOST = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "53995c3f42cd8ad8"
UNSAMPLED_TRACE = "4bf92f3577b34da6f3ce929d0e0e4736"


@dataclass
class Given:
    """A host's trace context."""

    trace_parent: str | None = None
    trace_state: str | None = None


def numbers() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def tracer(ratio: float = 1.0, *, host_reports: bool = False) -> Tracer:
    counted = numbers()
    return Tracer(ratio=ratio, host_reports=host_reports, bits=lambda _bits: next(counted))


@cells("flags", ["00", "01", "03", "fe"])
def test_a_valid_traceparent_is_read_with_its_flag(flags: str) -> None:
    found = TraceContext.parse(f"00-{TRACE}-{CALLER}-{flags}", "a=1,b=2")
    assert found == TraceContext(TRACE, CALLER, flags in {"01", "03"}, "a=1,b=2")


def test_a_later_version_may_have_more_fields() -> None:
    assert TraceContext.parse(f"cc-{TRACE}-{CALLER}-01-what-the-future-brings") is not None


@cells(
    "parent",
    [
        "",
        TRACE,
        f"00-{TRACE}-{CALLER}",
        f"00-{TRACE.upper()}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{TRACE}-{CALLER}-01-more",
        f"00-{TRACE}-{CALLER}-01\n",
        f" 00-{TRACE}-{CALLER}-01",
    ],
)
def test_a_traceparent_that_is_none_begins_no_trace(parent: str) -> None:
    assert TraceContext.parse(parent) is None


@cells("state", ["", "x" * 513, "caf\u00e9=1", "a=1\r\nb: 2"])
def test_a_tracestate_that_no_header_can_carry_is_left_out(state: str) -> None:
    found = TraceContext.parse(f"00-{TRACE}-{CALLER}-01", state)
    assert found is not None
    assert found.state == ""


def test_the_parent_is_the_hosts_activity_and_the_callers_span_where_the_host_has_none() -> None:
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    of_host = parent_of(Given(f"00-{TRACE}-{HOST}-01"), headers)
    assert of_host is not None
    assert of_host.span_id == HOST
    for none in (None, Given(), Given(""), Given("nonsense")):
        of_caller = parent_of(none, headers)
        assert of_caller is not None
        assert of_caller.span_id == CALLER
    assert parent_of(Given(), {}) is None


def test_an_answer_belongs_to_its_parents_trace_and_calls_go_up_below_a_span_of_their_own() -> None:
    trace = tracer().begin(Given(f"00-{TRACE}-{HOST}-01", "vendor=1"), {})
    assert trace == AnswerTrace(
        trace_id=TRACE, span_id="0000000000000001", parent_id=HOST, is_sampled=True, state="vendor=1"
    )
    assert trace.headers_up("00000000000000aa") == {
        "traceparent": f"00-{TRACE}-00000000000000aa-01",
        "tracestate": "vendor=1",
    }


def test_an_answer_without_a_parent_begins_a_trace() -> None:
    trace = tracer().begin(None, {})
    assert (trace.trace_id, trace.span_id, trace.parent_id) == (f"{1:032x}", f"{2:016x}", "")
    assert "tracestate" not in trace.headers_up(trace.span_id)


@cells(
    ("ratio", "host_reports", "host", "caller", "sampled", "share"),
    [
        (0.0, False, None, None, False, 0.0),
        (1.0, False, None, None, True, 1.0),
        (0.0, False, None, "01", True, 1.0),
        (1.0, False, None, "00", False, 1.0),
        (0.0, True, "01", None, True, 1.0),
        (1.0, True, "00", "01", False, 1.0),
        (0.0, False, "01", "00", True, 1.0),
        (0.0, False, "00", "01", True, 1.0),
        (1.0, False, "00", "00", False, 1.0),
        (1.0, False, "00", None, True, 1.0),
        (0.0, False, "00", None, False, 0.0),
    ],
)
def test_the_decision_is_the_hosts_where_it_reports_then_the_callers_then_the_share(
    ratio: float, host_reports: bool, host: str | None, caller: str | None, sampled: bool, share: float
) -> None:
    given = Given(f"00-{TRACE}-{HOST}-{host}") if host else None
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-{caller}"} if caller else {}
    trace = tracer(ratio, host_reports=host_reports).begin(given, headers)
    assert (trace.is_sampled, trace.ratio) == (sampled, share)


def test_the_flag_of_another_trace_decides_nothing() -> None:
    other = {"traceparent": f"00-{'1' * 32}-{CALLER}-01"}
    assert not tracer(0.0).begin(Given(f"00-{TRACE}-{HOST}-00"), other).is_sampled


def test_a_share_is_the_same_traces_in_every_process() -> None:
    for one in (tracer(0.7), tracer(0.7)):
        assert one.begin(Given(f"00-{TRACE}-{HOST}-00"), {}).is_sampled
        assert not one.begin(Given(f"00-{UNSAMPLED_TRACE}-{HOST}-00"), {}).is_sampled


def test_ids_are_never_zero() -> None:
    zero = Tracer(bits=lambda _bits: 0)
    trace = zero.begin(None, {})
    assert (int(trace.trace_id, 16), int(trace.span_id, 16)) == (1, 1)
