"""What speaks against spikes is said where they are used: milliseconds, spikes written twice, copies of units."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import consilience as cs


def trains(scale=1.0, units=3, rate=5.0, seconds=60.0):
    """Poisson with a refractory period of 3 ms."""
    rng = np.random.default_rng(0)
    each = [np.cumsum(0.003 + rng.exponential(1 / rate, int(rate * seconds))) for _ in range(units)]
    return [scale * t[t < seconds] for t in each]


def session(scale=1.0, **options):
    on = np.arange(1, 58, 3) * scale
    trials = cs.Intervals(on, on + scale, {"stimulus": ["a", "b"] * 9 + ["a"]})
    return cs.Recording("r", spikes=trains(scale), intervals={"trials": trials}, **options)


def codes(function):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        function()
    return {entry.message.code for entry in seen}


def test_seconds_are_taken_in_silence():
    rec = session(observed=cs.Intervals([0], [60]))
    assert rec.epoch(on="trials", window=(0, 1)).values.any()
    rec.epoch(on="trials", window=(0, 0.01))
    rec.bin(0.1)


def test_milliseconds_are_said():
    rec = session(1000.0)
    assert "not-seconds" in codes(lambda: rec.epoch(on="trials", window=(0, 1)))
    assert "not-seconds" in codes(lambda: rec.bin(100.0))
    with pytest.raises(cs.InputError, match=r"no seconds.*milliseconds or samples"):
        rec.bin(0.001)
    few = cs.Recording(spikes=[t[:40] for t in trains(1000.0)], intervals=rec.intervals)  # too few to tell by
    with pytest.warns(cs.ConsilienceWarning) as seen:
        data = few.epoch(on=rec.intervals["trials"][:2], window=(0, 0.5))
    told = [entry.message for entry in seen]
    assert [entry.code for entry in told] == ["no-spikes-in-trials", "not-seconds"]
    assert "last 1000 s, the window only 0.5 s" in str(told[1])
    assert not data.values.any()
    assert "no-spikes-in-trials" in data.attrs["consilience_warnings"]


def test_spikes_written_twice_and_units_that_are_copies():
    observed = cs.Intervals([0], [60])
    twice = cs.Recording(spikes=[[1.0, 1.0, 1.0, 2.0], [3.0]], observed=observed)
    with pytest.warns(cs.ConsilienceWarning, match=r"duplicate-spikes.*2 spikes of 1 unit.*\(0\)"):
        assert twice.bin(3.0).values[0, 0] == 4
    one, two, _ = trains()
    copies = cs.Recording(spikes=[one, two, one], units={"unit": [2, 5, 9]}, observed=observed)
    with pytest.warns(cs.ConsilienceWarning, match=r"duplicated-units.*2 units in 1 group.*\(2, 9\)"):
        copies.bin(1.0)
    assert "duplicated-units" in codes(lambda: cs.quality(copies, measures="firing_rate"))
    one = np.insert(one, 5, one[5])  # 1 of 300 counts; of 3000 it does not
    assert codes(lambda: cs.Recording(spikes=[one], observed=observed).bin(1.0)) == {"duplicate-spikes"}
    many = trains(units=1, rate=60.0)[0]
    many = np.insert(many, 5, many[5])
    assert codes(lambda: cs.Recording(spikes=[many], observed=observed).bin(1.0)) == set()


def test_spikes_after_all_that_was_observed():
    with pytest.warns(cs.ConsilienceWarning, match="spikes-outside.*outside the time observed"):
        session(observed=cs.Intervals([0], [30])).bin(1.0)
    session(observed=cs.Intervals([0, 40], [30, 60])).bin(1.0)  # a pause in between is usual


@pytest.mark.parametrize(("units", "rate", "seconds"), [(20, 0.02, 3600.0), (50, 0.005, 14_400.0)])
def test_units_that_fire_rarely_are_no_milliseconds(units, rate, seconds):
    rng = np.random.default_rng(1)
    sparse = [np.sort(rng.uniform(0, seconds, int(rate * seconds))) for _ in range(units)]
    observed, on = cs.Intervals([0], [seconds]), np.arange(0, seconds - 4, 4.0)
    trials = cs.Intervals(on, on + 1.5, {"stimulus": ["a"] * on.size})
    cs.Recording("r", spikes=sparse, observed=observed).bin(1.0)
    cs.Recording("r", spikes=sparse, observed=observed, intervals={"t": trials}).epoch(on="t", window=(0, 1))
    regular = [np.arange(0.5, seconds, 1 / rate) for _ in range(units)]  # told by trials or signals alone
    regular = [t + 0.01 * i for i, t in enumerate(regular)]
    grid = np.arange(0, 10 * seconds) / 10
    speed = cs.Signal(np.sin(grid), grid, kind="behaviour", unit="m/s")
    for more in ({"intervals": {"t": trials}}, {"signals": {"speed": speed}}):
        cs.Recording("r", spikes=regular, observed=observed, **more).bin(1.0)
    milliseconds = cs.Recording("r", spikes=trains(1000.0, units=20), observed=cs.Intervals([0], [60_000]))
    assert codes(lambda: milliseconds.bin(100.0)) == {"not-seconds"}
