"""``consilience decode``: labels and series by options, as `cs.decode` does it."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import consilience as cs

from .test_commands import QUICK, refused


@pytest.fixture
def it(call, files):
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b"], 20)
    np.save("it.npy", rng.normal(size=(40, 6)) + (y == "a")[:, None])
    for name, values in (
        ("ids", [f"s{i}" for i in range(40)]),
        ("category", y),
        ("place", np.repeat(["up", "down"], 20)),
        ("speed", np.arange(40)),
    ):
        with open(f"{name}.txt", "w", encoding="utf-8") as file:
            file.write("\n".join(map(str, values)))
    labels = [f"{name}={name}.txt" for name in ("category", "place", "speed")]
    return ("decode", "it.npy", "--ids", "ids.txt", *(x for entry in labels for x in ("--label", entry)))


def test_a_label_is_decoded(call, it):
    parsed = json.loads(call(*it, "--target", "category", "--cv", 4, *QUICK, "--json").out)
    data = cs.responses(
        np.load("it.npy"), stimulus=[f"s{i}" for i in range(40)], category=np.tile(["a", "b"], 20)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        direct = cs.decode(data, "category", cv=4, n_boot=10, n_perm=10, rng=0)
    assert parsed["results"][0]["value"] == pytest.approx(direct.value)
    sides = ("--train-on", "place=up", "--test-on", "place=down")
    assert "balanced accuracy" in call(*it, "--target", "category", *sides, *QUICK).out
    assert "MaxCorrelation" in call(*it, "--target", "category", "--model", "MaxCorrelation", *QUICK).out
    assert "  r " in call(*it, "--target", "speed", "--numbers", *QUICK).out
    refused(call(*it, "--target", "speed", *QUICK), "1 trial (40 of 40 classes have one)")
    refused(call(*it, "--target", "categry", *QUICK), "Did you mean 'category'")
    refused(call(*it, *QUICK), "give --target LABEL, or --target-file FILE")
    refused(
        call(*it, "--target", "category", "--train-on", "place", *QUICK), "--train-on must be LABEL=VALUE"
    )
    refused(call(*it, "--target", "category", "--numbers", *QUICK), "holds text")
    refused(call(*it, "--target", "category", "--score", "acuracy", *QUICK), "Did you mean 'accuracy'")


def test_a_series_is_decoded(call, files):
    rng = np.random.default_rng(2)
    hand = np.cumsum(rng.normal(size=(400, 2)), axis=0) * 0.1 + rng.normal(size=(400, 2))
    np.savez("hand.npz", responses=hand, time=np.arange(400) / 10)
    units = hand @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(size=(400, 6))
    np.savez("m1.npz", responses=units, time=np.arange(400) / 10)
    done = call(
        "decode", "m1.npz", "--target-file", "hand.npz", "--gap", 5, "--n-boot", 0, "--n-perm", 0, "--json"
    )
    assert done.code == 0, done.err
    rows = json.loads(done.out)
    assert rows["settings"]["gap_steps"] == 5
    assert min(row["value"] for row in rows["results"]) > 0.8


def test_messages_name_options_once(call, it):
    done = call(*it, "--target", "category", "--cv", 1000, *QUICK)
    assert "--cv=1000 folds need" in done.err
    assert "----" not in done.err
    assert "not both" in call(*it, "--target", "category", "--target-file", "it.npy").err


def test_units_recorded_apart_are_joined(call, files):
    rng = np.random.default_rng(0)
    made = {}
    for k in range(4):
        y = np.tile(["a", "b"], 10 + k)
        x = rng.normal(size=(y.size, 1)) + 1.5 * (y == "a")[:, None]
        np.save(f"cell{k}.npy", x)
        with open(f"cell{k}.txt", "w", encoding="utf-8") as file:
            file.write("\n".join(y))
        made[f"cell{k}"] = cs.responses(x, stimulus=y, repeat="count", object=y)
    paths = [f"cell{k}.npy" for k in range(4)]
    said = [
        x
        for k in range(4)
        for x in ("--ids", f"cell{k}=cell{k}.txt", "--label", f"cell{k}:object=cell{k}.txt")
    ]
    told = ("decode", *paths, *said, "--repeat", "count", "--target", "object")
    parsed = json.loads(call(*told, "--n-draws", 2, *QUICK, "--json").out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        population = cs.pseudo_population(made, by="object")
        direct = cs.decode(population, "object", n_draws=2, n_boot=10, n_perm=10, rng=0)
    assert parsed["results"][0]["value"] == pytest.approx(direct.value)
    sites = np.repeat(["u", "v"], 20)
    labels = {"site": sites, "object": np.tile(["a", "b"], 20)}
    np.save("all.npy", rng.normal(size=(40, 1)) + 1.5 * (labels["object"] == "a")[:, None])
    for name, values in labels.items():
        with open(f"{name}.txt", "w", encoding="utf-8") as file:
            file.write("\n".join(values))
    one = ("decode", "all.npy", "--ids", "object.txt", "--repeat", "count", "--target", "object")
    one += ("--label", "site=site.txt", "--label", "object=object.txt")
    assert "2 units" in call(*one, "--session", "site", "--n-draws", 2, *QUICK).out
    with open("place.txt", "w", encoding="utf-8") as file:
        file.write("\n".join(np.tile(["up", "up", "down", "down"], 10)))
    beside = ("--label", "place=place.txt", "--by", "place")
    assert "2 classes" in call(*one, *beside, "--session", "site", "--n-draws", 2, *QUICK).out
    refused(call(*one, "--by", "object", *QUICK), "recorded apart")
    refused(call(*one, "--session", "site", "--by", "objct", *QUICK), "Did you mean 'object'")
    refused(call(*told, "--session", "object", *QUICK), "give one file")
    refused(call(*told, "--target-file", "cell0.npy", *QUICK), "not both")


def test_options_of_a_model_follow_its_name(call, it):
    args = (*it, "--target", "category", *QUICK)
    assert "LDA" in call(*args, "--model", "LDA:shrinkage=0.2,priors=empirical").out
    refused(call(*args, "--model", "LDA:shrinkge=0.2"), "Did you mean 'shrinkage'")
    refused(call(*args, "--model", "LDA:shrinkage"), "must be NAME or NAME:OPTION=VALUE")
    refused(call(*args, "--model", "LDA:shrinkage=much"), "shrinkage must be a number")
    refused(call(*args, "--model", "LDA:priors=equal,priors=equal"), "priors is given twice")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (
            "GLM:observation=bernoulli,link=none,fit_intercept=no",
            {"observation": "bernoulli", "fit_intercept": False},
        ),
        ("GLMCV:alphas=1+10", {"alphas": [1.0, 10.0]}),
        ("PLSCV:n_components=3", {"n_components": 3}),
        ("PLSCV:n_components=1+3,cv=4", {"n_components": [1, 3], "cv": 4}),
        ("WienerFilter:lags=2,alphas=1e-3", {"lags": [2], "alphas": 1e-3}),
        ("BayesianDecoder:bins=10+20,circular=yes", {"bins": [10, 20], "circular": True}),
        ("KalmanFilter:lag=-1", {"lag": -1}),
    ],
)
def test_options_of_models_have_the_type_of_the_option(text, options):
    from consilience._cli._models import model_given

    got = model_given(text).get_params()
    assert {key: got[key] for key in options} == options
    assert [type(got[key]) for key in options] == [type(value) for value in options.values()]
