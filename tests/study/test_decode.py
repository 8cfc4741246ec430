"""The analysis `decode` of a study."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

import consilience as cs
from consilience import InputError
from consilience.study import run

HEAD = "seed: 1\noutput: out\nreport: false\nsystems:\n  it: {read: it.npy, ids: ids.txt, labels: {category: c.txt}}\n"


def test_a_label_is_decoded(tmp_path):
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b"], 15)
    x = rng.normal(size=(30, 5)) + (y == "a")[:, None]
    np.save(tmp_path / "it.npy", x)
    (tmp_path / "ids.txt").write_text("\n".join(f"s{i}" for i in range(30)))
    (tmp_path / "c.txt").write_text("\n".join(y))
    path = tmp_path / "study.yaml"
    more = "model: {name: LDA, shrinkage: 0.5}, n_boot: 100, n_perm: 20"
    path.write_text(f"{HEAD}analyses:\n  - decode: {{data: it, target: category, {more}, name: told}}\n")
    done = run(path)
    assert done.exit_code == 0, done.failures
    data = cs.responses(x, stimulus=[f"s{i}" for i in range(30)], category=y)
    direct = cs.decode(
        data,
        "category",
        model=cs.models.LDA(shrinkage=0.5),
        n_boot=0,
        n_perm=0,
        rng=done.results["told"].seed,
    )
    assert done.results["told"].value == pytest.approx(direct.value)
    for wrong, said in (
        ("target: categry", "categry"),
        ("cv: 3", "target"),
        ("target: category, score: acuracy", "accuracy"),
    ):
        path.write_text(f"{HEAD}analyses:\n  - decode: {{data: it, {wrong}}}\n")
        with pytest.raises(InputError, match=said):
            run(path)


def test_a_series_is_decoded_from_binned_spikes(tmp_path):
    rng = np.random.default_rng(0)
    hand = rng.normal(size=(601, 2))
    hand = hand[1:] + hand[:-1]
    rates = np.maximum(20 + 10 * hand @ rng.normal(size=(2, 8)), 0)
    counts = rng.poisson(rates * 0.1)
    spikes = [
        np.sort(np.concatenate([0.1 * k + rng.uniform(0, 0.1, c) for k, c in enumerate(n)])) for n in counts.T
    ]
    rec = cs.Recording(
        "M1",
        spikes=spikes,
        signals={"hand": cs.Signal(hand, 0.05 + 0.1 * np.arange(600), kind="behaviour", channels=["x", "y"])},
        observed=cs.Intervals([0], [60]),
    )
    cs.write_nwb(rec, tmp_path / "day.nwb", session_start=datetime(2020, 1, 1, tzinfo=UTC))
    path = tmp_path / "study.yaml"
    head = (
        "seed: 1\noutput: out\nreport: false\nsystems:\n  m1: {read: day.nwb, bin: 0.1}\n"
        "  hand: {read: day.nwb, bin: {width: 0.1, of: hand}}\nanalyses:\n"
    )
    more = "model: {name: WienerFilter, lags: [0, 1]}, gap: 5, n_boot: 100, n_perm: 0"
    path.write_text(f"{head}  - decode: {{data: m1, target_system: hand, {more}, name: moved}}\n")
    done = run(path)
    assert done.exit_code == 0, done.failures
    moved = done.results["moved"]
    direct = cs.decode(
        rec.bin(0.1),
        rec.bin(0.1, of="hand"),
        model=cs.models.WienerFilter([0, 1]),
        gap=5,
        n_boot=0,
        n_perm=0,
        rng=moved.seed,
    )
    np.testing.assert_allclose(moved.data["value"], direct.data["value"], atol=1e-6)
    assert moved.data["target"].values.tolist() == ["x", "y"]
    assert (moved.data["value"].values > 0.5).all()
    for wrong, said in (
        ("data: m1", "no target"),
        ("data: m1, target: x, target_system: hand", "both target: and target_system:"),
        ("data: m1, target_system: hnd", "Did you mean 'hand'"),
        ("data: m1, target_system: hand, numbers: true", "a series is numbers already"),
        ("data: m1, target_system: hand, by: x", "recorded apart"),
        ("sessions: [m1], target_system: hand", "joined by their trials"),
        ("data: m1, sessions: [m1], target: x", "both data: and sessions:"),
    ):
        path.write_text(f"{head}  - decode: {{{wrong}}}\n")
        with pytest.raises(InputError, match=said):
            run(path)


def test_units_recorded_apart_are_decoded(tmp_path):
    rng = np.random.default_rng(0)
    sizes, made, lines = (12, 14, 13), {}, []
    for k, n in enumerate(sizes):
        y = np.tile(["a", "b"], n)
        x = rng.normal(size=(2 * n, 2)) + 1.5 * (y == "a")[:, None]
        np.save(tmp_path / f"s{k}.npy", x)
        (tmp_path / f"s{k}.txt").write_text("\n".join(y))
        lines.append(
            f"  s{k}: {{read: s{k}.npy, ids: s{k}.txt, repeat: count, labels: {{object: s{k}.txt}}}}\n"
        )
        made[f"s{k}"] = cs.responses(x, stimulus=y, repeat="count", object=y)
    head = f"seed: 1\noutput: out\nreport: false\nsystems:\n{''.join(lines)}analyses:\n"
    path = tmp_path / "study.yaml"
    more = "target: object, n_draws: 3, n_boot: 100, n_perm: 20"
    path.write_text(f"{head}  - decode: {{sessions: [s0, s1, s2], {more}, name: told}}\n")
    done = run(path)
    assert done.exit_code == 0, done.failures
    told = done.results["told"]
    population = cs.pseudo_population(made, by="object")
    direct = cs.decode(population, "object", n_draws=3, n_boot=0, n_perm=0, rng=told.seed)
    assert told.value == pytest.approx(direct.value)
    assert told.settings["n_sessions"] == 3
    for wrong, said in (
        ("sessions: [s0, s1], by: objct, target: object", "objct"),
        ("sessions: [s0, s1], session: object, target: object", "leave one out"),
        ("data: s0, n_draws: 3, target: object", "recorded apart"),
    ):
        path.write_text(f"{head}  - decode: {{{wrong}}}\n")
        with pytest.raises(InputError, match=said):
            run(path)
