"""Extrapolation of a ceiling from halves and quarters of the repeats."""

from __future__ import annotations

import numpy as np
import pytest

from consilience.stats import repeats_ceiling, spearman_brown


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (2.0, 0.0), (0.0, 5.0), (3.0, 4.0)])
def test_both_parts_of_the_noise_are_found_from_halves_and_quarters(a, b):
    def r(m):
        return 1 / (1 + a / m + b / m**2)

    found = repeats_ceiling(r(6), r(3), per_half=1 / 6, per_quarter=1 / 3, per_all=1 / 12)
    assert found == pytest.approx(r(12) ** 0.5, abs=1e-12)
    if b == 0:
        assert found == pytest.approx(float(np.sqrt(spearman_brown(r(6)))), abs=1e-12)


def test_without_quarters_it_lies_between_what_either_part_alone_would_give():
    part = {"per_half": 1.0, "per_quarter": 1.0, "per_all": 0.5}
    low, high = float(np.sqrt(spearman_brown(0.3))), (1 + (1 / 0.3 - 1) / 4) ** -0.5
    assert low < repeats_ceiling(0.3, None, **part) < high


def test_it_stays_within_its_limits_whatever_the_quarters_say():
    part = {"per_half": 0.5, "per_quarter": 1.0, "per_all": 0.25}
    low, high = float(np.sqrt(spearman_brown(0.3))), (1 + (1 / 0.3 - 1) / 4) ** -0.5
    for quarter in (-0.2, 0.0, 1e-9, 0.05, 0.2, 0.3, 0.9, 1.0):
        assert low - 1e-12 <= repeats_ceiling(0.3, quarter, **part) <= high + 1e-12
    assert np.isnan(repeats_ceiling(0.0, 0.1, **part))
    assert np.isnan(repeats_ceiling(float("nan"), 0.1, **part))
    assert repeats_ceiling(1.0, 1.0, **part) == 1.0
