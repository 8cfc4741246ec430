"""Baselines of `geometry`: untrained copies beside the systems, and what a system is beyond them."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

CLASSES, POINTS = 16, 6
ONE = {"by": "category", "n_null": 0, "rng": 0}


def system(signal: float, seed: int, *, classes: int = CLASSES, first: int = 0):
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(first, first + classes), POINTS)
    x = signal * rng.normal(size=(first + classes, 50))[label] + rng.normal(size=(label.size, 50))
    return cs.responses(x, stimulus=np.arange(label.size), category=label, kind="activation", system="net")


def copies(names=("early", "late"), seeds=(0, 1, 2)):
    return {s: {name: system(0.2, 100 * s + k) for k, name in enumerate(names)} for s in seeds}


def test_gain_over_untrained_copies_with_interval():
    layers = {"early": system(0.2, 7), "late": system(1.2, 8)}
    names = ["capacity", "between", "separability"]
    found = cs.geometry(layers, methods=names, baseline=copies(), **ONE)
    at = found.data.isel(of=0)
    assert np.allclose(at["gain"], at["value"] - at["baseline"])
    assert np.allclose(at["baseline"], found.baselines["value"].isel(of=0).mean("seed"))
    assert found.baselines["seed"].values.tolist() == [0, 1, 2]
    for name in ("capacity", "between", "separability"):
        early, late = at.sel(measure=name, system="early"), at.sel(measure=name, system="late")
        assert early["gain_low"] < 0 < early["gain_high"], name
        assert late["gain_low"] > 0.1, name
    assert found.counts["system"].values.tolist() == ["early", "late"]
    assert "gain_low" in found.to_frame()
    assert "gain +" in repr(found)
    assert found.settings["baseline_seeds"] == [0, 1, 2]
    cs.testing.check_result(found)
    plain = cs.geometry(layers, methods=names, **ONE)
    assert plain.baselines is None
    assert "gain" not in plain.data
    assert np.array_equal(plain.data["value"], found.data["value"])


def test_gain_in_the_picture_and_in_words():
    from consilience.plots import plot_geometry
    from consilience.report._geometry_words import of_geometry

    layers = {"early": system(0.2, 7), "late": system(1.2, 8)}
    found = cs.geometry(layers, methods=["between", "few_shot_error"], baseline=copies(), **ONE)
    words = [text for text in of_geometry(found) if text.startswith("Gain in")]
    assert len(words) == 2
    assert words[0].startswith("Gain in variance between conditions over 3 baseline copies: late 0.")
    assert words[0].endswith("the largest of 2; the interval lies above 0 in 1 of them, below in 0.")
    assert "below in 1." in words[1]
    panels = [one for one in plot_geometry(found).figure.axes if one.get_title(loc="left")]
    assert [one.get_title(loc="left") for one in panels[2:]] == ["gain over baseline"] * 2
    faces = [line.get_markerfacecolor() for line in panels[2].lines if line.get_marker() == "o"]
    assert faces[0] == "white" != faces[1]
    along = {f"layer{k}": layers["late" if k > 2 else "early"] for k in range(6)}
    many = cs.geometry(along, methods="between", baseline=copies(along, (0, 1, 2)), progress=False, **ONE)
    assert "over 3 baseline copies: layer" in of_geometry(many)[1]
    axes = plot_geometry(many).figure.axes
    assert any(
        "baseline copy" in text.get_text()
        for one in axes
        for text in one.get_legend().texts
        if one.get_legend()
    )
    plain = plot_geometry(cs.geometry(layers, methods="between", **ONE))
    assert not any("gain" in one.get_title(loc="left") for one in plain.figure.axes)


def test_what_is_not_paired_says_so():
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(4), 10)
    one, two = (
        cs.responses(a * rng.normal(size=(4, 20))[ids] + rng.normal(size=(40, 20)), stimulus=np.arange(40),
                     category=ids, kind="rate", system="it")
        for a in (1, 0.5)
    )  # fmt: skip
    three = dict.fromkeys(range(3), two)
    found = cs.geometry(one, methods=["shattering", "between"], baseline=three, **ONE)
    assert found.data["gain_paired"].values.reshape(-1).tolist() == [False, True]
    assert np.isfinite(found.data["gain_low"]).all()
    assert any(
        text.startswith("Of shattering system and copies were taken for independent")
        for text in found.methods
    )
    paired = cs.geometry(one, methods="between", baseline=three, **ONE)
    assert not any("independent" in text for text in paired.methods)


def test_dichotomies_are_named_by_their_conditions():
    rng = np.random.default_rng(0)
    for label, said in (
        (np.array(["cat", "dog", "elk", "fox"]), "cat"),
        (np.array([10, 20, 30, 40]), "category 10"),
    ):
        x = rng.normal(size=(4, 30))[np.repeat(np.arange(4), 6)] + 0.1 * rng.normal(size=(24, 30))
        it = cs.responses(x, stimulus=np.arange(24), category=np.repeat(label, 6), kind="rate", system="it")
        note = cs.geometry(it, methods="ccgp", **ONE).data["note"].item()
        assert note.startswith(said)
        assert all(str(one) in note for one in label)


def test_fewer_than_three_copies_warn():
    from consilience.report._geometry_words import of_geometry

    for seeds, said in (((7,), "that over this very copy"), ((7, 8), "hardly known")):
        with pytest.warns(cs.ConsilienceWarning, match=said) as seen:
            found = cs.geometry(
                system(1.2, 8), methods="between", baseline={s: system(0.2, s) for s in seeds}, **ONE
            )
        assert [one.message.code for one in seen] == ["few-seeds"]
        assert [one.code for one in found.warnings] == ["few-seeds"]
        assert found.data["gain_low"].item() > 0.2
        assert f"over {'the one' if len(seeds) == 1 else 2} baseline cop" in of_geometry(found)[1]


def test_one_system_and_matching():
    few = {s: system(0.2, s)[:, :30] for s in (7, 8, 9)}
    with pytest.raises(cs.InputError, match="has 30 units and the system 50") as caught:
        cs.geometry(system(1.2, 8), methods="between", baseline=few, **ONE)
    assert caught.value.code == "bad-baseline"
    keep = np.arange(CLASSES * POINTS) != 0
    for trials, said in (
        (keep, "has 95 trials and the system 96"),
        (np.r_[np.flatnonzero(keep), 95], "has 5 trials in the smallest condition and the system 6"),
    ):
        wrong = {s: system(0.2, s)[trials] for s in (7, 8, 9)}
        with pytest.raises(cs.InputError, match=said):
            cs.geometry(system(1.2, 8), methods="between", baseline=wrong, **ONE)
    matched = cs.geometry(
        system(1.2, 8)[:, :30],
        methods="between",
        baseline={s: system(0.2, s) for s in (7, 8, 9)},
        match="units",
        n_draws=2,
        **ONE,
    )
    assert matched.counts["n_units"].values.tolist() == [30]


def test_conditions_that_move_together_make_the_interval_narrower():
    rng = np.random.default_rng(0)
    easy = rng.normal(size=30)
    value, others = easy.mean(), easy.mean() - 1
    half = 2 * easy.std(ddof=1) / np.sqrt(30)
    ends = (value - half, value + half, [others], [others - half], [others + half])
    apart = cs.stats.gain_over(value, *ends)
    together = cs.stats.gain_over(
        value, *ends, each=easy, others_each=(easy + 0.01 * rng.normal(size=30))[None]
    )
    assert apart[0] == together[0] == pytest.approx(1.0)
    assert apart[2] - apart[1] == pytest.approx(2 * np.sqrt(2) * half)
    assert together[2] - together[1] < 0.1 * half
    against = cs.stats.gain_over(value, *ends, each=easy, others_each=-easy[None])
    assert against[2] - against[1] == pytest.approx(4 * half)


def test_spread_between_copies_counts():
    one = (0.8, 0.7, 0.9)
    same = cs.stats.gain_over(*one, np.full(3, 0.3), np.full(3, 0.2), np.full(3, 0.4))
    spread = np.array([0.2, 0.3, 0.4])
    wide = cs.stats.gain_over(*one, spread, spread - 0.1, spread + 0.1)
    assert same[0] == pytest.approx(wide[0])
    assert wide[2] - wide[1] > 1.5 * (same[2] - same[1])
    lacking = cs.stats.gain_over(0.8, np.nan, np.nan, np.array([0.3]), np.array([0.2]), np.array([0.4]))
    assert lacking[0] == pytest.approx(0.5)
    assert np.isnan(lacking[1:]).all()
    two = (*one, spread[:2], spread[:2] - 0.1, spread[:2] + 0.1)
    assert cs.stats.gain_over(*two)[2] > 1 == cs.stats.gain_over(*two, limits=(0.0, 1.0))[2]
    each = np.array([0.1, 0.2, 0.6])
    endless = cs.stats.gain_over(
        0.3, 0.1, np.inf, spread, spread - 0.1, spread + np.inf, each=each, others_each=np.stack([each] * 3)
    )
    assert endless[1:] == (-np.inf, np.inf)
    with pytest.raises(cs.InputError, match="at least one baseline"):
        cs.stats.gain_over(*one, np.empty(0), np.empty(0), np.empty(0))


@pytest.mark.slow
def test_interval_of_the_gain_covers():
    """Networks that see the same stimuli: conditions that are far out are so in all of them."""
    gains = []
    for rep in range(60):
        rng = np.random.default_rng(rep)
        label = np.repeat(np.arange(16), 8)
        size = np.exp(0.4 * rng.normal(size=(16, 1)))
        seen = rng.normal(size=(16, 30)) * size, rng.normal(size=(128, 30)) * size[label]

        def net(gain, seed, seen=seen, label=label, rng=rng):
            readout = np.random.default_rng(seed).normal(size=(30, 60)) / np.sqrt(30)
            x = (gain * seen[0][label] + seen[1]) @ readout + 0.5 * rng.normal(size=(128, 60))
            return cs.responses(x, stimulus=np.arange(128), category=label, kind="activation")

        found = cs.geometry(
            net(1.0, 99),
            methods=["capacity", "between"],
            baseline={s: net(0.5, 1000 * s + rep) for s in range(3)},
            **ONE,
        )
        gains.append([found.data[k].values.reshape(-1) for k in ("gain", "gain_low", "gain_high")])
    gain, low, high = np.array(gains).transpose(1, 0, 2)
    truth = gain.mean(axis=0)
    assert (((low <= truth) & (truth <= high)).sum(axis=0) >= 53).all()


def test_refusals():
    layers = {"early": system(0.2, 7), "late": system(1.2, 8)}
    for wrong, said in (
        (copies(("late", "early")), "systems of data under the same names"),
        ({"zero": layers}, "keys are seeds"),
        (layers["early"], r"must be a mapping .* got DataArray of shape \(96, 50\)\."),
        ([layers["early"]], r"must be a mapping .* got list of 1 DataArray\."),
        ({0: {"early": layers["early"], "late": np.zeros((3, 3))}}, "must be responses"),
        (
            {s: {**layers, "late": system(1, 2, first=1)} for s in range(3)},
            "other conditions than the system, e.g. '?0",
        ),
    ):
        with pytest.raises(cs.InputError, match=said) as caught:
            cs.geometry(layers, methods="between", baseline=wrong, **ONE)
        assert caught.value.code == "bad-baseline"
    with pytest.raises(cs.InputError, match=r"cs\.geometry: device must be one that torch has") as caught:
        cs.geometry(layers, methods="between", device="nonsense", **ONE)
    assert caught.value.code == "bad-device"


def test_capacity_on_a_torch_device():
    pytest.importorskip("torch")
    one, two = (
        cs.geometry(system(1, 0), methods=["capacity", "radius"], by="category", n_null=5, device=d, rng=0)
        for d in (None, "cpu")
    )
    assert np.allclose(one.data["value"], two.data["value"], rtol=1e-9)
    assert np.allclose(one.data["null_mean"], two.data["null_mean"], rtol=1e-9)
