"""Systems made alike before they are compared."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import consilience as cs
from consilience._core._seeds import resolve_seed
from consilience.analyses._match import check_match, match_systems


def network(n: int = 60, units: int = 300, seed: int = 0) -> xr.DataArray:
    x = np.random.default_rng(seed).normal(size=(n, units))
    return cs.responses(x, stimulus=np.arange(n), kind="activation", system="net")


def brain(n: int = 80, units: int = 120, repeats: int = 6, noise: float = 2.0, seed: int = 1) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(n), repeats)
    x = rng.normal(size=(n, units))[ids] + noise * rng.normal(size=(ids.size, units))
    return cs.responses(x, stimulus=ids, repeat="count", kind="rate", system="brain")


def matched(systems: dict, match: object = "all", seed: int = 0):
    return match_systems(systems, match=match, seed=resolve_seed(seed, who="test"), who="test")


def snr(data: xr.DataArray) -> float:
    return cs.populations.signal_to_noise(data.values, data["stimulus"].values)


def test_everything_is_equal_afterwards_signal_to_noise_too():
    out, notes = matched({"net": network(), "brain": brain()})
    assert out["net"].shape == out["brain"].shape == (60 * 6, 120)
    assert set(out["net"]["stimulus"].values) == set(out["brain"]["stimulus"].values)
    assert notes["stimuli"] == 60
    assert notes["units"] == 120
    assert notes["trials"] == 6
    assert notes["snr"] == pytest.approx(0.25, rel=0.1)
    assert snr(out["net"]) == pytest.approx(snr(out["brain"]), rel=0.06)
    assert out["net"].attrs["kind"] == "rate"  # it has noise now


def test_matched_signal_to_noise_is_equal_on_average_over_draws():
    systems = {"net": network(n=80), "brain": brain(noise=1.0), "noisy": brain(noise=3.0, seed=5)}
    ratios = []
    for seed in range(20):
        out, notes = matched(systems, seed=seed)
        ratios.append([snr(out[name]) / notes["snr"] for name in out])
    mean = np.mean(ratios, axis=0)
    assert np.allclose(mean, 1, atol=0.03), mean


def test_the_noisiest_stays_as_it_is_and_draws_differ():
    systems = {"clean": brain(noise=0.5), "noisy": brain(noise=3.0, seed=2)}
    one, notes = matched(systems, match=["snr"], seed=0)
    two, _ = matched(systems, match=["snr"], seed=1)
    assert np.array_equal(np.sort(one["noisy"].values, axis=0), np.sort(systems["noisy"].values, axis=0))
    assert not np.array_equal(one["clean"].values, two["clean"].values)
    assert notes["snr_before"]["clean"] > notes["snr_before"]["noisy"] == notes["snr"]
    assert np.array_equal(one["clean"].values, matched(systems, match=["snr"], seed=0)[0]["clean"].values)


def test_time_is_cut_to_equal_bins_or_averaged_where_a_system_has_none():
    rng = np.random.default_rng(0)

    def timed(bins: int, width: float = 0.01) -> xr.DataArray:
        return cs.responses(
            rng.poisson(2.0, size=(10, bins, 4)),
            stimulus=np.arange(10),
            kind="count",
            dims=("trial", "time", "unit"),
            time=np.arange(bins) * width,
        )

    out, notes = matched({"a": timed(9), "b": timed(5)}, match=["bins"])
    assert out["a"].sizes["time"] == out["b"].sizes["time"] == notes["bins"] == 5
    a = timed(9)
    out, notes = matched({"a": a, "net": network(n=10)}, match=["bins"])
    assert np.array_equal(out["a"].values, a.values.sum(axis=1))
    assert notes["bins"] == 1
    with pytest.warns(cs.ConsilienceWarning, match="bins-differ"):
        matched({"a": timed(9), "b": timed(5, width=0.02)}, match=["bins"])


def test_refusals_say_what_to_do():
    with pytest.raises(cs.InputError, match="there is one") as error:
        matched({"a": network()})
    assert error.value.code == "bad-parameter"
    single = cs.responses(np.random.default_rng(0).normal(size=(60, 5)), stimulus=np.arange(60), kind="rate")
    with pytest.raises(cs.InputError, match=">= 2 repeats") as error:
        matched({"a": network(), "b": single}, match=["snr"])
    assert error.value.code == "no-repeats"
    silent = brain(noise=1e4)
    with pytest.raises(cs.InputError, match="there is no signal") as error:
        matched({"a": network(), "b": silent}, match=["stimuli", "snr"], seed=3)
    assert error.value.code == "no-signal"
    with pytest.raises(cs.InputError, match="Did you mean 'units'"):
        check_match(["unit"], who="test")
    assert check_match("all", who="test") == ("stimuli", "bins", "units", "trials", "snr")
    assert check_match("stimulus", who="test") == ("stimuli",)
    assert check_match(["snr"], who="test") == ("trials", "snr")
    assert check_match(None, who="test") == ()


def test_plain_functions():
    x = np.random.default_rng(0).normal(size=(40, 3))
    ids = np.repeat(np.arange(20), 2)
    assert cs.populations.signal_to_noise(np.repeat(x[:20], 2, axis=0), ids) == np.inf
    with pytest.raises(cs.InputError, match="noise can only be added") as error:
        cs.populations.add_noise(x, ids, snr=5.0)
    assert error.value.code == "snr-too-high"
    values = [
        cs.populations.signal_to_noise(np.random.default_rng(k).normal(size=(40, 3)), ids) for k in range(400)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20  # 0 on average without signal
    before = x.copy()
    cs.populations.add_noise(np.repeat(x[:20], 2, axis=0), ids, snr=1.0, noiseless=True)
    assert np.array_equal(before, x)
