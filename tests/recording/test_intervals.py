"""Sets of time: by hand, by a grid of points, and the laws of sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import consilience as cs

PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=8)
GRID = np.arange(-1, 45) + 0.5


def made(pairs):
    return cs.Intervals([a for a, _ in pairs], [a + d for a, d in pairs])


def inside(intervals, times=GRID):
    return np.array([any(a <= t < b for a, b in zip(intervals.start, intervals.stop)) for t in times])


@settings(max_examples=80, deadline=None)
@given(PAIRS, PAIRS)
def test_operations_are_those_of_sets_of_points(one, two):
    a, b = made(one), made(two)
    for found, expected in (
        (a | b, inside(a) | inside(b)),
        (a & b, inside(a) & inside(b)),
        (a - b, inside(a) & ~inside(b)),
    ):
        np.testing.assert_array_equal(found.contains(GRID), expected)
        assert (np.diff(found.start) > 0).all()
        assert (found.start[1:] > found.stop[:-1]).all()  # disjoint, and joined where they touch
        assert found.total == pytest.approx(expected.sum())  # edges are whole numbers, grid points halves
    assert (a - b) | (a & b) == a.merged()


def test_edges_belong_to_the_later_side():
    one = cs.Intervals([0, 2], [1, 3])
    assert one.contains([0, 0.999, 1, 2, 3]).tolist() == [True, True, False, True, False]
    assert (cs.Intervals([0], [1]) | cs.Intervals([1], [2])) == cs.Intervals([0], [2])
    assert len(cs.Intervals([0], [1]) & cs.Intervals([1], [2])) == 0
    assert len(cs.Intervals([], [])) == 0
    assert cs.Intervals([], []).contains([1.0]).tolist() == [False]


def test_rows_keep_their_columns():
    trials = cs.Intervals(
        [0, 1, 2], [1, 2, 3], {"side": ["left", "right", "left"], "contrast": [0.1, np.nan, 1]}
    )
    left = trials[trials.columns["side"] == "left"]
    assert left.start.tolist() == [0, 2]
    assert left.columns["contrast"].tolist() == [0.1, 1]
    assert trials == trials[:]
    assert trials[1].columns["side"].tolist() == ["right"]
    assert trials.to_frame().columns.tolist() == ["start_time", "stop_time", "side", "contrast"]
    assert trials.duration.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="read-only"):
        trials.start[0] = 5
    events = cs.Events([2, 1], {"side": [b"left", None]})
    assert events.columns["side"].tolist() == ["left", ""]
    assert events[[1]].time.tolist() == [1]
    assert events.column("time").tolist() == [2, 1]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: cs.Intervals([0, 5], [1, 4]),
            r"1 intervals end before they start, first row 1 \(5 to 4 s\)",
        ),
        (lambda: cs.Intervals([0], [1, 2]), "same length, got 1 and 2"),
        (lambda: cs.Intervals([0, np.nan], [1, 2]), "1 entries that are NaN or infinite, first at 1"),
        (lambda: cs.Intervals(["a"], [1]), "start must be numbers in seconds, got "),
        (lambda: cs.Intervals([[0]], [1]), r"start must be 1-D, got shape \(1, 1\)"),
        (
            lambda: cs.Intervals([0], [1], {"x": [1, 2]}),
            r"column 'x' must have one number or text for each interval",
        ),
        (lambda: cs.Events([0], {"x": [[1]]}), r"for each event \(1\), got shape"),
        (lambda: cs.Events(np.ma.masked_array([1.0], [True])), "masked entries"),
        (lambda: cs.Intervals([0], [1]).column("end"), "there is no column 'end' of intervals"),
    ],
)
def test_messages(make, said):
    with pytest.raises(cs.InputError, match=said):
        make()
