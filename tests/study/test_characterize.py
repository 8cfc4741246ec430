"""`characterize` as an analysis of a study."""

from __future__ import annotations

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
