"""``consilience reduce``, and `reduce` as an analysis of a study and in a report."""

from __future__ import annotations

import json

import numpy as np
import pytest

import consilience as cs
from consilience import report
from consilience.study import run
from consilience.study._model_text import model_of_text
from consilience.study._verb_readers import make_model


def trials():
    rng = np.random.default_rng(0)
    side = np.tile(["left", "right"], 15)
    ramp = np.linspace(0, 1, 6)[:, None] * np.where(side == "left", 1, -1)[:, None, None]
    x = ramp * rng.normal(size=10) + 0.4 * rng.normal(size=(30, 6, 10))
    return cs.responses(
        x,
        dims=("trial", "time", "unit"),
        time=np.arange(6) * 0.05,
        stimulus=[f"s{i}" for i in range(30)],
        side=side,
        system="pfc",
    )


def test_command_writes_a_result_and_a_picture(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trials().to_netcdf("pfc.nc")
    outcome = call(
        "reduce", "pfc.nc", "--model", "pca:n_components=2", "--by", "side", "--n-boot", 4, "--n-perm", 19,
        "--picture", "p.png", "-o", "r.nc",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "PC1: explained" in outcome.out
    assert (tmp_path / "p.png").stat().st_size > 5000
    direct = cs.reduce(trials(), cs.models.PCA(2), labels=["side"], n_boot=4, n_perm=19, rng=0)
    saved = cs.load("r.nc")
    np.testing.assert_allclose(saved.components["held_out"], direct.components["held_out"])
    np.testing.assert_allclose(saved.components["p"], direct.components["p"])


def test_command_takes_short_names_and_says_what_is_wrong(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trials().to_netcdf("pfc.nc")
    outcome = call("reduce", "pfc.nc", "--model", "dpca:n_components=1,regularisation=0.1", "--by", "side",
                   "--n-boot", 0, "--n-perm", 0, "--cv", 0, "--json")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["results"][0]["marginalization"] == "side"
    wrong = call("reduce", "pfc.nc", "--model", "pcaa")
    assert wrong.code == 2
    assert "'pcaa' is not a model that reduces. Did you mean 'pca'" in wrong.err
    assert "must name coordinates on trial" in call("reduce", "pfc.nc", "--by", "sides").err


def test_several_numbers_of_components_are_those_to_choose_from(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trials().to_netcdf("pfc.nc")
    outcome = call(
        "reduce", "pfc.nc", "--model", "pca:n_components=1+2", "--n-boot", 0, "--n-perm", 0, "--cv", 0
    )
    assert outcome.code == 0, outcome.err
    assert "of 2 numbers of components chosen" in outcome.out
    made = make_model(model_of_text("poisson_gpfa:n_components=2+3,tol=1e-3", reducing=True))
    assert isinstance(made, cs.models.LatentCV)
    assert (made.n_components, type(made.model).__name__, made.model.tol) == ([2, 3], "PoissonGPFA", 1e-3)
    assert make_model({"name": "GPFA", "n_components": [1, 2]}).n_components == [1, 2]  # as a study has it
    for text in ("jpca:n_components=2+4", "gpfa:n_components=2,tol=1+2"):
        assert "must be a" in call("reduce", "pfc.nc", "--model", text).err


def test_study_and_report(tmp_path):
    trials().to_netcdf(tmp_path / "pfc.nc")
    (tmp_path / "study.yaml").write_text(
        "seed: 0\noutput: out\nsystems:\n  pfc: {read: pfc.nc}\nanalyses:\n"
        "  - reduce: {data: pfc, model: {name: PCA, n_components: 2}, labels: [side], n_boot: 3, n_perm: 19, name: z}\n"
    )
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0, done.failures
    found = done.results["z"]
    direct = cs.reduce(trials(), cs.models.PCA(2), labels=["side"], n_boot=3, n_perm=19, rng=found.seed)
    np.testing.assert_allclose(found.components["explained"], direct.components["explained"])
    text = report.render({"z": found}, title="t")
    assert "more than units without relation to each other would show" in text
    assert "Latents, and what they explain" in text


def test_arrays_are_read_by_their_axes(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = trials()
    np.save("x.npy", data.values)
    np.save("t.npy", data["time"].values)
    few = ("--n-boot", 0, "--n-perm", 0, "--json")
    outcome = call("reduce", "x.npy", *few)
    assert outcome.code == 2
    assert "needs --dims trial,time,unit (with --time FILE)" in outcome.err
    assert "pass --time FILE" in call("reduce", "x.npy", "--dims", "trial,time,unit", *few).err
    assert "--dims must be one of" in call("reduce", "x.npy", "--dims", "trial,units", *few).err
    axes = ("--dims", "trial,time,unit", "--time", "t.npy")
    outcome = call("reduce", "x.npy", "--model", "pca:n_components=2", *axes, *few)
    assert outcome.code == 0, outcome.err
    direct = cs.reduce(data, cs.models.PCA(2), n_boot=0, n_perm=0, rng=0)
    got = [row["explained"] for row in json.loads(outcome.out)["results"]]
    np.testing.assert_allclose(got, direct.components["explained"])
    np.save("side.npy", data["side"].values)
    outcome = call("geometry", "x.npy", *axes, "--label", "side=side.npy", "--by", "side", "-m", "separability",
                   "--n-null", 0, "--json")  # fmt: skip
    assert outcome.code == 0, outcome.err
    np.save("y.npy", data.values + np.random.default_rng(1).normal(size=data.shape))
    outcome = call("subspaces", "x.npy", "y.npy", *axes, "--n-null", 0, "--json")
    assert outcome.code == 0, outcome.err
    outcome = call("dimensionality", "x.npy", *axes, "-m", "participation_ratio", "--n-perm", 0, "--json")
    assert outcome.code == 0, outcome.err


def test_a_study_takes_the_short_names_and_lists_models_that_reduce(tmp_path):
    from consilience.study import load

    trials().to_netcdf(tmp_path / "pfc.nc")

    def of(model):
        (tmp_path / "study.yaml").write_text(
            "seed: 0\noutput: out\nsystems:\n  pfc: {read: pfc.nc}\nanalyses:\n"
            f"  - reduce: {{data: pfc, model: {model}, n_boot: 0, n_perm: 0, cv: 0, name: z}}\n"
        )
        return tmp_path / "study.yaml"

    assert run(of("pca")).results["z"].settings["model_name"] == "PCA"
    text, mapping = (
        run(of(m)).results["z"] for m in ("'pca:n_components=2'", "{name: PCA, n_components: 2}")
    )
    assert text.settings["model"] == mapping.settings["model"] == "PCA(n_components=2)"
    for wrong, said in (
        ("'pca:n_componnts=2'", r"'n_componnts' is not an option of PCA. Did you mean 'n_components'"),
        ("'pca:n_components'", r"model must be NAME or NAME:OPTION=VALUE"),
        ("'lds:n_components=many'", r"n_components must be"),
        ("{name: 'pca:n_components=2'}", r"with options of its own; write them as further keys"),
        ("RidgeRF", r"is not a model that reduces.*\{name: PCA, n_components: 2\}"),
    ):
        with pytest.raises(cs.InputError, match=said) as error:
            load(of(wrong))
        assert "GLM" not in str(error.value) or "NAME:OPTION" in said
