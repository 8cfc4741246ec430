"""The null of models of series whose targets are separate: all shifts fitted at once, as if one by one."""

import numpy as np

import consilience as cs


def test_shifts_fitted_at_once_are_those_fitted_one_by_one(monkeypatch):
    rng = np.random.default_rng(0)
    hand = rng.normal(size=(402, 2))
    hand = hand[2:] + hand[1:-1] + hand[:-2]
    x = np.roll(hand, -1, axis=0) @ rng.normal(size=(2, 6)) + rng.normal(size=(400, 6))
    time = 0.05 * np.arange(400)
    spikes = cs.responses(x, dims=("time", "unit"), time=time, kind="activation", system="M1")
    model = cs.models.WienerFilter(range(3))
    asked = {"model": model, "cv": 3, "gap": 5, "n_boot": 0, "n_perm": 25, "rng": 0}
    many = cs.decode(spikes, hand, **asked)
    monkeypatch.setattr(cs.models.WienerFilter, "separate_targets", False)
    single = cs.decode(spikes, hand, **asked)
    for key in ("value", "p", "null_mean"):
        np.testing.assert_allclose(many.data[key].values, single.data[key].values, rtol=1e-8)
