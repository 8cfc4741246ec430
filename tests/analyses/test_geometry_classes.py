"""Entries of the table of geometry that take conditions as classes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from consilience.analyses._geometry_measures import GEOMETRY, Conditions

NAMES = ("capacity", "radius", "dimension", "between", "few_shot_error", "separability", "noise_alignment")


def conditions(signal: float, n_null: int = 19) -> Conditions:
    rng = np.random.default_rng(0)
    condition = np.repeat(np.arange(16), 8)
    x = signal * rng.normal(size=(16, 60))[condition] + rng.normal(size=(128, 60))
    names = tuple(f"c{k:02d}" for k in range(16))
    return Conditions(
        x=x,
        condition=condition,
        names=names,
        factors={"c": np.array(names)},
        n_null=n_null,
        level=0.95,
        rng=0,
    )


@pytest.mark.parametrize("name", NAMES)
def test_entry_has_value_interval_and_null(name):
    strong = GEOMETRY[name].function(conditions(1.5))["all"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no-signal")
        none = GEOMETRY[name].function(conditions(0.0))["all"]
    assert strong.n_units == 60
    assert strong.n_conditions == 16
    assert strong.ci_low <= strong.value <= strong.ci_high
    assert strong.ci_high - strong.ci_low > 0.01
    assert np.isfinite(strong.null_mean)
    if name in ("capacity", "between", "separability"):
        assert strong.value > strong.null_high
        assert strong.p == pytest.approx(1 / 20)
        assert none.p > 0.05
    elif name in ("radius", "dimension"):
        assert strong.value < strong.null_low
    elif name == "few_shot_error":
        assert strong.value < 0.2 < none.value
    else:
        assert strong.ci_low < 1 < strong.ci_high


def test_the_three_numbers_of_manifolds_are_of_one_computation():
    c = conditions(1.0, n_null=0)
    found = [GEOMETRY[name].function(c)["all"] for name in ("capacity", "radius", "dimension")]
    again = GEOMETRY["capacity"].function(conditions(1.0, n_null=0))["all"]
    assert found[0].value == again.value
    assert np.isnan(found[0].null_mean)
    assert found[0].details["half_points"] > found[0].value
