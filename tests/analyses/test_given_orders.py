"""Orders of removal as given: numbers, names, scores, and what is refused because it could be either."""

import numpy as np
import pytest

import consilience as cs
from consilience.analyses._given_orders import Listed, order_of_list, orders_asked

ALL = Listed(list("abcd"), np.arange(4), 4)
DEAD = Listed(["10", "12", "13"], np.array([0, 2, 3]), 4, np.array([10, 11, 12, 13]), ["11"])
KNOWN = ("random", "selectivity")


@pytest.mark.parametrize(
    ("parts", "given", "sequence"),
    [
        (ALL, [3, 0, 1, 2], [3, 0, 1, 2]),
        (ALL, np.array([3, 0, 1, 2], np.int16), [3, 0, 1, 2]),
        (ALL, ["d", "a", "b", "c"], [3, 0, 1, 2]),
        (ALL, [0.1, 0.4, 0.3, 0.2], [1, 2, 3, 0]),
        (ALL, {"x": [3, 0, 1, 2]}, [0, 3, 2, 1]),  # scores, though they could be numbers
        (ALL, {"x": [3.0, 0, 1, 2]}, [0, 3, 2, 1]),
        (DEAD, [3, 0, 1, 2], [2, 0, 1]),  # places among all units; 1 is gone
        (DEAD, [3, 0, 2], [2, 0, 1]),
        (DEAD, [13, 10, 11, 12], [2, 0, 1]),  # ids
        (DEAD, ["13", "10", "11", "12"], [2, 0, 1]),
        (DEAD, {"x": [0.5, 9.0, 0.1, 0.7]}, [2, 0, 1]),  # a score for each unit, dropped ones too
        (DEAD, {"x": [0.5, 0.1, 0.7]}, [2, 0, 1]),
    ],
)
def test_what_is_meant(parts, given, sequence):
    [(_, found)] = orders_asked(given, parts, KNOWN)
    assert found.tolist() == sequence


@pytest.mark.parametrize(
    ("parts", "given", "text"),
    [
        (ALL, [3.0, 0.0, 1.0, 2.0], "could be part numbers or scores"),
        (ALL, [5, 2, 9, 1], "once by its number"),
        (ALL, [0, 1, 2], "once by its number"),
        (ALL, [0, 1, 2, 2], "once by its number"),
        (ALL, [True, False, True, True], "finite scores"),
        (ALL, ["d", "a", "b", "z"], "no part"),
        (ALL, ["d", "a", "b"], "is not in it"),
        (ALL, ["d", "a", "b", "c", "c"], "comes twice"),
        (ALL, {"x": ["d", "a", "b", "c"]}, "finite scores"),
        (ALL, {"x": [1.0, np.nan, 2, 3]}, "finite scores"),
        (ALL, [0.5, 1.0], "4 finite scores"),
        (Listed(["1", "2", "0"], np.arange(3), 3, np.array([1, 2, 0])), [0, 1, 2], "could be ids"),
    ],
)
def test_what_could_be_either_is_refused(parts, given, text):
    with pytest.raises(cs.InputError, match=text) as error:
        orders_asked(given, parts, KNOWN)
    assert error.value.code == "bad-order"


def test_lists_of_orders():
    found = orders_asked(["random", [3, 0, 1, 2], {"mine": [1, 2, 3, 4]}], ALL, KNOWN)
    assert [name for name, _ in found] == ["random", "given 2", "mine"]
    assert [name for name, _ in orders_asked(["random", "selective"], ALL, KNOWN)] == ["random", "selective"]
    assert order_of_list(range(4), ALL).tolist() == [0, 1, 2, 3]
