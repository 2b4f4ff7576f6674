"""Sums until the next export."""

import threading

from shared.telemetry.aggregation import MAX_SERIES, Aggregation, Instrument, Kind

COUNT = Instrument("count", Kind.COUNTER, "1", "")
SECONDS = Instrument("seconds", Kind.HISTOGRAM, "s", "", (1.0, 2.0))
OPEN = Instrument("open", Kind.UP_DOWN, "1", "")


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1
        return self.now


def test_values_of_the_same_attributes_are_one_point_whatever_came_between() -> None:
    sums = Aggregation(is_delta=False)
    for backend in ("east", "west", "east"):
        sums.add([(COUNT, 1, (("backend", backend),))])
    (series,) = sums.collect()
    assert {dict(key)["backend"]: point.total for key, point in series.points} == {"east": 2, "west": 1}


def test_a_histogram_counts_each_value_below_its_upper_bound() -> None:
    sums = Aggregation(is_delta=False)
    for value in (0.5, 1.0, 1.5, 7.0):
        sums.add([(SECONDS, value, ())])
    (_, point) = sums.collect()[0].points[0]
    assert (point.buckets, point.count, point.total, point.minimum, point.maximum) == ([2, 1, 1], 4, 10.0, 0.5, 7.0)


def test_cumulative_sums_go_on_and_say_since_when() -> None:
    sums = Aggregation(is_delta=False, now_ns=Clock())
    sums.add([(COUNT, 1, ())])
    first = sums.collect()[0]
    sums.add([(COUNT, 1, ())])
    second = sums.collect()[0]
    assert [first.points[0][1].total, second.points[0][1].total] == [1, 2]
    assert first.points[0][1].began_ns == second.points[0][1].began_ns == 1
    assert (first.at_ns, second.at_ns, first.is_delta) == (2, 3, False)


def test_delta_sums_begin_again_at_each_time() -> None:
    sums = Aggregation(is_delta=True, now_ns=Clock())
    sums.add([(COUNT, 1, ())])
    assert sums.collect()[0].points[0][1].total == 1
    assert sums.collect() == []
    sums.add([(COUNT, 5, ())])
    (series,) = sums.collect()
    assert (series.points[0][1].total, series.points[0][1].began_ns, series.is_delta) == (5, 3, True)


def test_what_is_set_has_its_last_value_and_is_no_difference() -> None:
    sums = Aggregation(is_delta=True)
    sums.set(OPEN, 3, ())
    sums.set(OPEN, 2, ())
    (series,) = sums.collect()
    assert (series.points[0][1].total, series.is_delta) == (2, False)


def test_no_number_of_names_makes_it_grow_without_a_bound_and_no_value_is_lost() -> None:
    sums = Aggregation(is_delta=False)
    for number in range(MAX_SERIES + 500):
        sums.add([(COUNT, 1, (("model", f"invented-{number}"),))])
    (series,) = sums.collect()
    assert len(series.points) == MAX_SERIES + 1
    assert sum(point.total for _, point in series.points) == MAX_SERIES + 500
    assert dict(series.points[-1][0]) == {"otel.metric.overflow": True}


def test_what_was_collected_does_not_change_and_nothing_is_lost_between_two_threads() -> None:
    sums, collected = Aggregation(is_delta=True), 0.0

    def add() -> None:
        for _ in range(5000):
            sums.add([(COUNT, 1, ())])

    thread = threading.Thread(target=add)
    thread.start()
    while thread.is_alive():
        collected += sum(point.total for series in sums.collect() for _, point in series.points)
    collected += sum(point.total for series in sums.collect() for _, point in series.points)
    assert collected == 5000
