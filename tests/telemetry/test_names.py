"""The names, held to the lists of the two versions of the conventions that `semconv.json` keeps."""

from shared.telemetry.aggregation import Kind
from shared.telemetry.measurements import Instruments, measured
from shared.telemetry.names import ATTRIBUTES, METRICS, OWN, Names, Semconv
from shared.telemetry.spans import spans_of
from tests.harness.cells import cells
from tests.telemetry.samples import ENDED_AT, EVERY_WAY, SEMCONV, describer

BOTH = cells("semconv", list(Semconv))


@BOTH
def test_every_name_is_the_conventions_or_says_that_it_is_ours(semconv: Semconv) -> None:
    listed, names = SEMCONV[semconv.value], Names.of(semconv)
    assert {name for name in names.metrics.values() if name and not name.startswith(OWN)} <= set(listed["metrics"])
    attributes = {name for name in names.attributes.values() if name and not name.startswith(OWN)}
    assert attributes <= set(listed["attributes"]) | set(listed["deprecated"])


@BOTH
def test_every_instrument_has_the_kind_and_the_unit_of_the_conventions(semconv: Semconv) -> None:
    listed = SEMCONV[semconv.value]["metrics"]
    instruments = [one for one in vars(Instruments(Names.of(semconv))).values() if hasattr(one, "unit")]
    assert len(instruments) == len(METRICS)
    for one in instruments:
        if one.name in listed:
            assert [one.kind.value, one.unit] == listed[one.name]
        else:
            assert not one.name or one.name.startswith(OWN)
        assert bool(one.boundaries) == (one.kind is Kind.HISTOGRAM)
        assert list(one.boundaries) == sorted(set(one.boundaries))


@BOTH
def test_what_an_answer_emits_has_no_other_name_and_every_required_attribute(semconv: Semconv) -> None:
    listed, names, found = SEMCONV[semconv.value], Names.of(semconv), set()
    known = {*listed["attributes"], *listed["deprecated"]}
    for receipt in EVERY_WAY.values():
        for instrument, _, key in measured(receipt, Instruments(names), describer(semconv)):
            found.add(instrument.name)
            attributes = dict(key)
            assert set(listed["required"].get(instrument.name, ())) <= attributes.keys()
            assert all(name in known or name.startswith(OWN) for name in attributes)
        for span in spans_of(receipt, ENDED_AT, describer(semconv)):
            assert all(name in known or name.startswith(OWN) for name in span.attributes)
    observed = {names.metrics["open_streams"], names.metrics["backend_ready"]}
    assert found | observed == {name for name in names.metrics.values() if name}


def test_only_the_conventions_names_differ_between_the_versions() -> None:
    for row in (*METRICS.values(), *ATTRIBUTES.values()):
        if row.v1_41 != row.latest:
            assert row.v1_41.startswith("gen_ai.") or row.latest.startswith("gen_ai.")
