"""``consilience score-perturbation``."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import consilience as cs

from .test_commands import refused


@pytest.fixture
def prediction(tmp_path, monkeypatch):
    """Of silencing and driving a unit, in p.nc."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(120, 6))
    y = np.tile(["l", "r"], 60)
    x[:, 1] += 1.5 * (y == "l")
    data = cs.responses(x, stimulus=[f"s{i}" for i in range(120)], choice=y, system="d")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        made = cs.predict_perturbation(
            data, "choice", sets={"one": [1], "two": [2]}, n_controls=5, n_refits=4, rng=0
        )
    made.save("p.nc")
    return made


def test_changes_of_a_table(call, prediction, tmp_path):
    d = prediction.data
    rows = [
        (p, o, 0.1 * k - 0.2)
        for k, (p, o) in enumerate((p, o) for p in d["perturbation"].values for o in d["outcome"].values)
    ]
    later = pd.DataFrame(rows, columns=["perturbation", "outcome", "change"]).assign(se=0.05)
    later.to_csv("later.csv", index=False)
    done = call("score-perturbation", "p.nc", "later.csv", "--level", 0.9, "-o", "s.nc", "--picture", "s.png")
    assert done.code == 0, done.err
    direct = cs.score_perturbation(prediction, later, level=0.9)
    found = cs.load("s.nc")
    for name in direct.data:
        np.testing.assert_allclose(found.data[name], direct.data[name])
    assert (tmp_path / "s.png").stat().st_size > 1000
    later.to_csv("later.tsv", index=False, sep="\t")
    same = [call("score-perturbation", "p.nc", f"later.{ending}", "--json").out for ending in ("csv", "tsv")]
    assert same[0] == same[1]


def test_single_trials(call, prediction):
    perturbation, outcome = (str(prediction.data[k].values[0]) for k in ("perturbation", "outcome"))
    later = pd.DataFrame({"condition": ["intact", "perturbed"] * 10, "value": [1.0, 0.0, 0.0, 0.0] * 5})
    later = later.assign(perturbation=perturbation, outcome=outcome)
    later.to_csv("trials.csv", index=False)
    done = call("score-perturbation", "p.nc", "trials.csv", "-o", "s.nc")
    assert done.code == 0, done.err
    assert float(cs.load("s.nc").pairs["observed"][0]) == -0.5


def test_what_is_refused(call, prediction, tmp_path):
    (tmp_path / "later.csv").write_text("perturbation,outcome,change\nsilence all,target,1\n")
    (tmp_path / "odd.csv").write_text("perturbation,size\na,1\n")
    (tmp_path / "narrow.csv").write_text("change\n1\n")
    (tmp_path / "word.csv").write_text(
        f"perturbation,outcome,change\n{prediction.data['perturbation'].values[0]},"
        f"{prediction.data['outcome'].values[0]},much\n"
    )
    refused(call("score-perturbation", "p.nc", "later.csv"), "was not predicted; there are")
    refused(call("score-perturbation", "p.nc", "odd.csv"), "lacks outcome")
    refused(call("score-perturbation", "p.nc", "narrow.csv"), "it needs perturbation, outcome and change")
    refused(call("score-perturbation", "p.nc", "word.csv"), "change must be numbers, got 'much'")
    refused(call("score-perturbation", "p.nc", "none.csv"), "there is no such file")
    refused(call("score-perturbation", "p.nc", "p.nc"), "not a table")
    refused(call("score-perturbation", "none.nc", "later.csv"), "none.nc")
    refused(call("score-perturbation", "later.csv", "later.csv"), "later.csv")
    refused(call("score-perturbation", "p.nc", "later.csv", "-o", "p.nc"), "is one of the inputs")
    ids = [f"s{i}" for i in range(8)]
    cs.rdms(cs.responses(np.eye(8), stimulus=ids, system="a")).save("r.nc")
    refused(call("score-perturbation", "r.nc", "later.csv"), "must be a PredictedPerturbation, got RDMs")
