"""Single-event responses in slow signals: planted ones come back, the published definitions hold, runs stay apart."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import integrate, stats

import consilience as cs
from consilience.linalg._event_model import drifts, expected_response

TR = 2.0


def recording(bold, onset, kind, *, duration=1.0, runs=1, pause=60.0):
    """Runs of equal length, one after the other; onsets within each."""
    n = len(bold) // runs
    starts = np.arange(runs) * (n * TR + pause)
    time = np.concatenate([s + np.arange(n) * TR for s in starts])
    on = np.concatenate([s + onset for s in starts])
    events = cs.Intervals(on, on + duration, {"trial_type": np.tile(kind, runs)})
    return cs.Recording(
        "sub-01",
        signals={"bold": cs.Signal(bold, time, kind="bold")},
        intervals={"events": events},
        observed=cs.Intervals(starts, starts + n * TR),
    )


def planted(n, onset, betas, *, duration=1.0, noise=0.0, seed=0):
    """(n, units) of betas (events, units), with a drift and a level, sampled in the middle of volumes."""
    rng = np.random.default_rng(seed)
    times = (np.arange(n) + 0.5) * TR
    x = expected_response(times, np.asarray(onset), np.full(len(onset), duration))
    slow = drifts(n, TR, 0.01) @ rng.normal(0, 20, size=(drifts(n, TR, 0.01).shape[1], betas.shape[1]))
    return x.T @ betas + slow + 500 + noise * rng.normal(size=(n, betas.shape[1]))


def test_the_response_is_the_published_one():
    """Two gamma densities, peak near 5 s and undershoot near 15 s, area 1; an event is its integral."""
    t = np.linspace(0, 60, 6001)
    h = (stats.gamma.pdf(t, 6) - stats.gamma.pdf(t, 16) / 6) / (5 / 6)
    np.testing.assert_allclose(expected_response(t, [0.0], [0.0])[0], h, atol=1e-12)
    assert integrate.trapezoid(h, t) == pytest.approx(1, abs=1e-6)
    assert t[h.argmax()] == pytest.approx(5.0, abs=0.05)
    block = expected_response(t, [3.0], [10.0])[0]
    inside = np.linspace(3, 13, 4001)
    direct = [integrate.trapezoid(np.interp(at - inside, t, h, left=0), inside) for at in t[::500]]
    np.testing.assert_allclose(block[::500], direct, atol=1e-5)
    assert expected_response([200.0], [0.0], [200.0])[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("gap", [4.0, 16.0])
def test_lsa_gives_planted_responses_back_exactly(gap):
    onset = 6 + gap * np.arange(14) + np.tile([0.0, 0.7], 7)
    betas = np.random.default_rng(1).normal(size=(14, 5))
    bold = planted(150, onset, betas)
    kind = ["a", "b"] * 7
    with _allowed("events-overlap"):
        data = cs.event_betas(recording(bold, onset, kind), on="events", stimulus="trial_type", method="lsa")
    np.testing.assert_allclose(data.values, betas, atol=1e-8)
    assert data["stimulus"].values.tolist() == kind
    assert data.attrs["kind"] == "bold"


class _allowed:
    """Warnings of one code may come, and no others."""

    def __init__(self, code):
        self.code = code

    def __enter__(self):
        self.catch = warnings.catch_warnings(record=True)
        self.seen = self.catch.__enter__()
        warnings.simplefilter("always")

    def __exit__(self, *error):
        self.catch.__exit__(*error)
        assert {w.message.code for w in self.seen if hasattr(w.message, "code")} <= {self.code}


def test_lss_is_the_separate_model_of_each_event():
    """Against one least-squares fit per event with the others summed by stimulus, written out (Mumford et al. 2012)."""
    rng = np.random.default_rng(0)
    onset, kind = 5 + 5.0 * np.arange(20), np.array(["a", "b", "c", "a"] * 5)
    bold = planted(80, onset, rng.normal(size=(20, 3)), noise=1.0)
    with _allowed("events-overlap"):
        got = cs.event_betas(recording(bold, onset, kind), on="events", stimulus="trial_type").values
    x = expected_response((np.arange(80) + 0.5) * TR, onset, np.ones(20)).T
    for j in range(20):
        others = [x[:, (kind == k) & (np.arange(20) != j)].sum(axis=1) for k in "abc"]
        design = np.column_stack([x[:, j], *others, drifts(80, TR, 0.01)])
        np.testing.assert_allclose(
            got[j], np.linalg.lstsq(design, bold, rcond=None)[0][0], rtol=1e-6, atol=1e-8
        )


def test_far_apart_the_methods_agree():
    onset = 8 + 30.0 * np.arange(10)
    betas = np.random.default_rng(1).normal(size=(10, 40))
    rec = recording(planted(170, onset, betas, noise=0.05), onset, ["a", "b"] * 5)
    one, two = (
        cs.event_betas(rec, on="events", method=m, stimulus="trial_type").values for m in ("lss", "lsa")
    )
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.98
    assert np.corrcoef(one.ravel(), betas.ravel())[0, 1] > 0.95


def test_close_events_are_steadier_by_lss():
    """With events 3 s apart and noise, LS-S estimates are nearer to the planted ones (Mumford et al. 2012), and the
    overlap is said for LS-A."""
    rng = np.random.default_rng(2)
    onset = 6 + 3.0 * np.arange(40) + rng.uniform(-0.5, 0.5, 40)
    kind = rng.permutation(["a", "b"] * 20)
    betas = 2 + rng.normal(size=(40, 60))
    rec = recording(planted(80, onset, betas, noise=0.3), onset, kind)
    with pytest.warns(cs.ConsilienceWarning, match="overlap with those of others") as seen:
        lsa = cs.event_betas(rec, on="events", stimulus="trial_type", method="lsa").values
    assert seen[0].message.code == "events-overlap"
    with _allowed("events-overlap"):
        lss = cs.event_betas(rec, on="events", stimulus="trial_type").values
    assert np.mean((lss - betas) ** 2) < 0.5 * np.mean((lsa - betas) ** 2)


def test_runs_are_fitted_apart_and_named():
    onset = 8 + 20.0 * np.arange(6)
    betas = np.random.default_rng(1).normal(size=(12, 4))
    bold = np.concatenate([planted(80, onset, betas[:6]), 3000 + planted(80, onset, betas[6:], seed=5)])
    data = cs.event_betas(
        recording(bold, onset, list("abcabc"), runs=2), on="events", stimulus="trial_type", method="lsa"
    )
    np.testing.assert_allclose(data.values, betas, atol=1e-7)
    assert data["run"].values.tolist() == [0] * 6 + [1] * 6
    assert data["repeat"].values.max() == 3


def test_estimates_are_unbiased_under_autocorrelated_noise():
    rng = np.random.default_rng(0)
    onset = 8 + 14.0 * np.arange(12)
    betas = rng.normal(size=(12, 400))
    noise = rng.normal(size=(100, 400))
    for t in range(1, 100):
        noise[t] += 0.5 * noise[t - 1]
    rec = recording(planted(100, onset, betas) + noise, onset, ["a", "b"] * 6)
    error = cs.event_betas(rec, on="events", stimulus="trial_type", method="lsa").values - betas
    z = error.mean(axis=1) / (error.std(axis=1, ddof=1) / 20)
    assert np.abs(z).max() < 4


def test_events_near_the_end_and_beyond():
    onset = np.array([8.0, 40.0, 98.0])
    rec = recording(planted(50, onset, np.ones((3, 2))), onset, list("aba"))
    with pytest.raises(cs.InputError, match="1 of 3 events") as caught:
        cs.event_betas(rec, on="events", stimulus="trial_type")
    assert caught.value.code == "outside-recording"
    with pytest.warns(cs.ConsilienceWarning, match="left out"):
        data = cs.event_betas(rec, on="events", stimulus="trial_type", missing="omit")
    np.testing.assert_allclose(data.values, 1, atol=1e-7)


@pytest.mark.parametrize(
    ("onset", "options", "words"),
    [
        ([8.0, 8.0, 40.0], {"method": "lsa"}, r"cannot be told apart.*method='lss'"),
        ([8.0, 8.0, 40.0], {"stimulus": list("abc")}, "cannot be told apart"),
        ([8.0, 20.0], {"method": "lsu"}, "method must be one of"),
        ([8.0, 20.0], {"of": "bald"}, "Did you mean 'bold'"),
        ([8.0, 20.0], {"on": "event"}, "Did you mean 'events'"),
        ([8.0, 20.0], {"high_pass": -1}, "high_pass must be a number"),
        ([8.0, 20.0], {"sample": 2}, "sample must be a number"),
        ([8.0, 20.0], {"stimulus": "trial"}, "is no column of events"),
    ],
)
def test_what_is_refused(onset, options, words):
    onset = np.asarray(onset)
    rec = recording(np.random.default_rng(0).normal(size=(60, 2)), onset, ["a"] * len(onset))
    with pytest.raises(cs.InputError, match=words):
        cs.event_betas(rec, **({"on": "events"} | options))


def test_nilearn_has_the_same_response():
    hemodynamic = pytest.importorskip("nilearn.glm.first_level").spm_hrf
    theirs = hemodynamic(1.0, oversampling=100, time_length=32.0)
    t = np.arange(theirs.size) * 0.01
    ours = expected_response(t, [0.0], [0.0])[0]
    np.testing.assert_allclose(theirs / theirs.max(), ours / ours.max(), atol=0.02)


def test_events_without_an_id_are_refused_and_the_unit_is_kept():
    t, on = np.arange(60) * 2.0, np.array([4.0, 34.0, 64.0, 94.0])
    bold = expected_response(t + 1, on, np.full(4, 3.0)).sum(axis=0) + 100
    signal = cs.Signal(bold, t, kind="bold", unit="percent")

    def rec(ids):
        return cs.Recording(
            "s", signals={"bold": signal}, intervals={"e": cs.Intervals(on, on + 3, {"trial_type": ids})}
        )

    assert cs.event_betas(rec(list("abab")), on="e", stimulus="trial_type").attrs["unit"] == "percent"
    with pytest.raises(cs.InputError, match=r"1 of 4 events of e have no stimulus id \(first: event 2\)"):
        cs.event_betas(rec(["a", "b", "", "b"]), on="e", stimulus="trial_type")
