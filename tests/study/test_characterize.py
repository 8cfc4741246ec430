"""`characterize` as an analysis of a study."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

import consilience as cs
from consilience.study import run


def test_characterize_in_a_study(tmp_path):
    rng = np.random.default_rng(0)
    category = np.repeat(["face", "house"], 10)
    for name, strength in (("a", 9), ("b", 3)):
        x = rng.poisson(np.where(category == "face", strength, 3)[:, None], size=(20, 3))
        data = cs.responses(x, stimulus=[f"i{k}" for k in range(20)], kind="count", system=name)
        data.assign_coords(category=("trial", category)).to_netcdf(tmp_path / f"{name}.nc")
    text = (
        "seed: 0\noutput: out\nsystems:\n  a: {read: a.nc}\n  b: {read: b.nc}\n"
        "analyses:\n  - characterize: {data: [a, b], measures: [d_prime], n_perm: 19, n_floor: 3, n_splits: 5,"
        " name: both}\n"
        "  - characterize: {data: a, by: category, measures: [d_prime], n_perm: 19, n_floor: 3, name: one,"
        " matched_noise: {mean: 2.0, n_trials: 3}}\n"
    )
    (tmp_path / "study.yaml").write_text(text)
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0, done.failures
    assert done.results["both"].data.sizes["unit"] == 6
    assert done.results["one"].settings["matched_noise"]["n_trials"] == 3
    for wrong, words in (
        ("matched_noise: {mean: 2.0, n_trials: 3}", None),
        ("matched_noise: {mea: 2.0}", "mea is not a key of matched_noise"),
        ("matched_noise: {fano: 2.0}", "mean, and fano and n_trials"),
    ):
        if words is None:
            continue
        (tmp_path / "study.yaml").write_text(text.replace("matched_noise: {mean: 2.0, n_trials: 3}", wrong))
        with pytest.raises(cs.InputError, match=words):
            run(tmp_path / "study.yaml")


def test_a_variable_that_was_followed(tmp_path):
    rng = np.random.default_rng(0)
    heading = np.cumsum(rng.normal(0, 20, 2000)) % 360
    rate = 5 * np.exp(2 * (np.cos(np.deg2rad(heading)) - 1))
    inside = rng.random(2000) < rate * 0.1
    spikes = [np.flatnonzero(inside) * 0.1 + 0.05, np.sort(rng.uniform(0, 200, 500))]
    rec = cs.Recording(
        name="adn",
        spikes=spikes,
        signals={
            "heading": cs.Signal(
                heading[:, None], 0.05 + 0.1 * np.arange(2000), kind="behaviour", unit="degree"
            )
        },
        observed=cs.Intervals([0], [200]),
    )
    cs.write_nwb(rec, tmp_path / "day.nwb", session_start=datetime(2020, 1, 1, tzinfo=UTC))
    head = (
        "seed: 0\noutput: out\nreport: false\nsystems:\n  adn: {read: day.nwb, bin: 0.1}\n"
        "  heading: {read: day.nwb, bin: {width: 0.1, of: heading}}\nanalyses:\n"
    )
    path = tmp_path / "study.yaml"
    more = "period: 360, bins: 12, n_perm: 19"
    path.write_text(f"{head}  - characterize: {{data: adn, variable: heading, {more}, name: tuned}}\n")
    done = run(path)
    assert done.exit_code == 0, done.failures
    assert done.results["tuned"].data["measure"].values[0] == "direction_score"
    for wrong, words in (
        ("data: adn, variable: heading, by: trial", "by is a label of trials|by.* is a label of trials"),
        ("data: adn, by: category, bins: 3", "goes with variable:"),
    ):
        path.write_text(f"{head}  - characterize: {{{wrong}}}\n")
        with pytest.raises(cs.InputError, match=words):
            run(path)
