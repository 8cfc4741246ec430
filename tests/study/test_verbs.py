"""Verbs of a study beside compare: each is one entry of a table."""

from __future__ import annotations

import functools
import inspect
import warnings

import numpy as np
import pytest

import consilience as cs
from consilience import InputError
from consilience.study import load, run
from consilience.study._lesions import OF_RECORDED
from consilience.study._plan import make_plan
from consilience.study._verbs import VERBS, call_of

from .conftest import STUDY

HEAD = STUDY.split("analyses:")[0]


def study(folder, text):
    (folder / "study.yaml").write_text(f"{HEAD}analyses:\n{text}")
    return folder / "study.yaml"


@pytest.mark.parametrize("name", VERBS)
def test_every_entry_fits_its_function(name):
    verb = VERBS[name]
    parameters = inspect.signature(call_of(name)).parameters
    positional = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_ONLY]
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):  # handed on to the verb itself
        parameters = {**inspect.signature(getattr(cs, name)).parameters, **parameters}
    if name == "decode":  # sessions stand for data, a system for a label
        assert positional == ["data"]
        assert {"data", "sessions", "target_system"} == set(verb.sides)
        parameters = {**parameters, **dict.fromkeys(("numbers", "by", "session"))}
    elif name == "predict_perturbation":  # so does a system
        assert positional == ["data"]
        assert {"data", "target_system"} == set(verb.sides)
        parameters = {**parameters, "numbers": None}
    elif name == "ablate":  # of recorded responses
        assert positional == ["data"]
        assert {"data", "target_system"} == set(verb.sides)
        parameters = {**parameters, **dict.fromkeys(OF_RECORDED)}
    elif name == "characterize":  # a series that was followed stands for a label
        assert positional == ["data"]
        assert {"data", "variable"} == set(verb.sides)
    else:
        assert len(positional) == sum(not side.keyword for side in verb.sides.values())
    assert {key for key, side in verb.sides.items() if side.keyword} <= set(parameters)
    assert set(verb.options) <= set(parameters) | ({"fitted"} if verb.arguments else set())
    assert verb.seeded == ("rng" in parameters)
    assert set(verb.labels) <= set(verb.options)
    assert set(verb.made) <= set(verb.options)


def test_rdms(folder):
    path = study(folder, "  - rdms: {systems: [one, two], distance: euclidean, name: both}\n")
    done = run(path)
    assert done.exit_code == 0
    assert (done.computed, done.stored) == (3, 0)
    x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
    ids = [f"s{i}" for i in range(24)]
    direct = cs.rdms(
        {"one": cs.responses(x, stimulus=ids), "two": cs.responses(y, stimulus=ids)}, distance="euclidean"
    )
    np.testing.assert_allclose(done.results["both"].rdms, direct.rdms, rtol=1e-12)
    written = sorted(p.name for p in (folder / "out" / "results").iterdir())
    assert written == ["both.csv", "both.nc"]
    assert (run(path).computed, run(path).stored) == (0, 3)
    study(folder, "  - rdms: {systems: one, name: other}\n")
    run(path)
    assert sorted(p.name for p in (folder / "out" / "results").iterdir()) == ["other.csv", "other.nc"]


def test_crossnobis_with_folds_from_a_file(folder):
    rng = np.random.default_rng(3)
    means = rng.normal(size=(6, 5))
    np.save(folder / "trials.npy", np.tile(means, (4, 1)) + 0.3 * rng.normal(size=(24, 5)))
    (folder / "trials.txt").write_text("\n".join("abcdef" * 4))
    (folder / "trials.csv").write_text("run\n" + "".join(f"{i // 6}\n" for i in range(24)))
    text = (
        "seed: 1\noutput: out\nreport: true\nsystems:\n"
        "  it: {read: trials.npy, ids: trials.txt, repeat: count, kind: rate, labels: {run: trials.csv}}\nanalyses:\n"
        "  - rdms: {systems: it, distance: crossnobis, folds: run, noise: none, n_boot: 50, name: it}\n"
    )
    (folder / "study.yaml").write_text(text)
    done = run(folder / "study.yaml")
    assert done.exit_code == 0, done.failures
    direct = cs.measures.crossnobis(
        np.load(folder / "trials.npy"),
        np.array(list("abcdef" * 4)),
        folds=np.repeat([0, 1, 2, 3], 6),
        noise=None,
        square=True,
    )
    np.testing.assert_allclose(done.results["it"].rdms.values[0], direct, rtol=1e-10)
    assert done.results["it"].seed == "1"
    assert "crossnobis" in (folder / "out" / "report.html").read_text()


def test_partition(folder):
    text = "  - partition: {data: one, models: [two], method: ols, n_boot: 20, n_perm: 20, name: parts}\n"
    done = run(study(folder, text))
    assert done.exit_code == 0, done.failures
    ids = [f"s{i}" for i in range(24)]
    one, two = (cs.responses(np.load(folder / f"{n}.npy"), stimulus=ids) for n in "xy")
    direct = cs.partition(one, {"two": two}, method="ols", n_boot=20, n_perm=20, rng=0)
    np.testing.assert_allclose(done.results["parts"].data["value"], direct.data["value"], rtol=1e-10)
    np.testing.assert_allclose(done.results["parts"].data["p"], direct.data["p"])
    with pytest.raises(
        InputError, match=r"partition.data takes one system, and there are 2 \('one', 'two'\)"
    ):
        run(study(folder, text.replace("data: one", "data: [one, two]")))


def test_shape_space_with_a_measure_and_labels(folder):
    np.save(folder / "z.npy", np.random.default_rng(5).normal(size=(24, 4)))
    text = HEAD + "  three: {read: z.npy, ids: ids.txt}\nanalyses:\n"
    text += (
        "  - shape_space:\n      systems: [one, two, three]\n      measure: {name: cka, kernel: rbf}\n"
        "      labels: {one: early, two: early, three: late}\n      n_boot: 10\n      n_perm: 10\n      name: space\n"
    )
    (folder / "study.yaml").write_text(text)
    done = run(folder / "study.yaml")
    assert done.exit_code == 0, done.failures
    ids = [f"s{i}" for i in range(24)]
    systems = {
        name: cs.responses(np.load(folder / f"{file}.npy"), stimulus=ids)
        for name, file in (("one", "x"), ("two", "y"), ("three", "z"))
    }
    with pytest.warns(UserWarning, match="3 systems can be dealt"):
        direct = cs.shape_space(
            systems,
            functools.partial(cs.measures.cka, kernel="rbf"),
            labels={"one": "early", "two": "early", "three": "late"},
            n_boot=10,
            n_perm=10,
            rng=0,
        )
    np.testing.assert_allclose(done.results["space"].data["value"], direct.data["value"], rtol=1e-10)
    assert float(done.results["space"].groups["p"]) == float(direct.groups["p"])
    (folder / "study.yaml").write_text(text.replace("kernel: rbf", "kernal: rbf"))
    with pytest.raises(InputError, match=r"line 11.*kernal is not an option of cka\. Did you mean 'kernel'"):
        run(folder / "study.yaml")


def test_rdm_movie_with_models(folder):
    rng = np.random.default_rng(0)
    values = np.tile(rng.normal(size=(6, 3, 5)), (4, 1, 1)) + 0.5 * rng.normal(size=(24, 3, 5))
    ids = np.array(list("abcdef" * 4))
    np.savez(folder / "t.npz", responses=values, stimulus=ids, time=np.array([0.0, 0.1, 0.2]))
    np.save(folder / "m.npy", cs.measures.rdm(rng.normal(size=(6, 4)), square=True))
    text = (
        "seed: 0\noutput: out\nsystems:\n"
        "  it: {read: t.npz, repeat: count, kind: rate, dims: [trial, time, unit]}\n"
        "  model: {read: m.npy, ids: [a, b, c, d, e, f], rdm: correlation}\nanalyses:\n"
        "  - rdm_movie: {data: it, models: model, noise: none, n_boot: 10, n_perm: 10, name: movie}\n"
    )
    (folder / "study.yaml").write_text(text)
    done = run(folder / "study.yaml")
    assert done.exit_code == 0, done.failures
    movie = done.results["movie"]
    assert movie.data["model"].values.tolist() == ["model"]
    assert movie.rdms.shape == (3, 6, 6)
    page = (folder / "out" / "report.html").read_text()
    assert "model is" in page
    (folder / "study.yaml").write_text(text.replace("data: it, models: model", "data: model, models: it"))
    with pytest.raises(
        InputError, match=r"rdm_movie.data needs responses, and 'model' is known by its RDM only"
    ):
        run(folder / "study.yaml")


def test_searchlight_influence_and_deciding_stimuli(folder):
    rng = np.random.default_rng(0)
    np.save(folder / "place.npy", np.arange(6.0))
    np.save(folder / "m.npy", cs.measures.rdm(rng.normal(size=(24, 3)), square=True))
    text = HEAD.replace("ids: ids.txt}", "ids: ids.txt, labels: {x: place.npy}}", 1)
    text += (
        "  model: {read: m.npy, ids: ids.txt, rdm: correlation}\nanalyses:\n"
        "  - searchlight: {data: one, target: model, n_units: 3, n_boot: 10, n_perm: 10, name: light}\n"
        "  - influence: {a: one, b: two, measure: [rsa, {name: cka, debiased: false}], name: moved}\n"
        "  - deciding_stimuli: {first: one, second: model, b: two, name: decided}\n"
    )
    (folder / "study.yaml").write_text(text)
    done = run(folder / "study.yaml")
    assert done.exit_code == 0, done.failures
    assert done.results["light"].data.sizes["unit"] == 6
    assert done.results["moved"].data["measure"].values.tolist() == ["rsa", "cka(debiased=False)"]
    assert done.results["decided"].settings["first"] == "one"
    assert sorted(p.name for p in (folder / "out" / "results").glob("*.csv")) == [
        "decided.csv",
        "light.csv",
        "moved.csv",
    ]


def test_encode_with_a_model_and_bands(folder):
    np.save(folder / "z.npy", np.random.default_rng(5).normal(size=(24, 4)))
    text = HEAD + "  three: {read: z.npy, ids: ids.txt}\nanalyses:\n"
    few = "cv: 3, n_boot: 10, n_perm: 10"
    text += f"  - encode: {{x: one, y: two, model: {{name: RidgeCV, alphas: [1, 10]}}, {few}, name: e}}\n"
    text += "  - encode: {x: [one, three], y: two, cv: 3, n_boot: 0, n_perm: 0, name: bands}\n"
    (folder / "study.yaml").write_text(text)
    done = run(folder / "study.yaml")
    assert done.exit_code == 0, done.failures
    ids = [f"s{i}" for i in range(24)]
    one = cs.responses(np.load(folder / "x.npy"), stimulus=ids, system="one")
    two = cs.responses(np.load(folder / "y.npy"), stimulus=ids, system="two", kind="rate")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        direct = cs.encode(
            one, two, model=cs.models.RidgeCV(alphas=[1, 10]), cv=3, n_boot=10, n_perm=10, rng=0
        )
    np.testing.assert_allclose(done.results["e"].data["r"], direct.data["r"], rtol=1e-9)
    np.testing.assert_allclose(done.results["e"].data["p"], direct.data["p"])
    assert done.results["bands"].bands["band"].values.tolist() == ["one", "three"]
    for old, new, words in (
        ("RidgeCV", "RigdeCV", "'RigdeCV' is not a model of responses. Did you mean 'RidgeCV'"),
        ("RidgeCV", "'GLM:observation=bernoulli'", "with options of its own; write them as further keys"),
        ("alphas", "alpha", "alpha is not an option of RidgeCV. Did you mean 'alphas'?"),
        ("cv: 3", "cv: 1", "cv must be a whole number, from 2"),
        ("y: two", "y: [two, one]", "y takes one system, and there are 2"),
    ):
        (folder / "study.yaml").write_text(text.replace(old, new, 1))
        with pytest.raises(InputError) as caught:
            run(folder / "study.yaml")
        assert words in str(caught.value)
        assert str(caught.value).startswith("study.yaml, line 9:")


def test_evaluate_models_with_a_fitted_one(folder):
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(24)]
    a, b = (cs.measures.rdm(rng.normal(size=(24, 3)), square=True) for _ in range(2))
    noise = rng.random((3, 24, 24))
    people = a + b + 0.3 * (noise + noise.transpose(0, 2, 1)) * (1 - np.eye(24))
    for name, values in (("a", a), ("b", b), ("people", people)):
        np.save(folder / f"{name}.npy", values)
    text = (
        "seed: 0\noutput: out\nsystems:\n  a: {read: a.npy, ids: ids.txt, rdm: correlation}\n"
        "  b: {read: b.npy, ids: ids.txt, rdm: correlation}\n"
        "  people: {read: people.npy, ids: ids.txt, rdm: correlation, subject: [u, v, w]}\nanalyses:\n"
        "  - evaluate_models: {models: [a, b], data: people, fitted: {both: {weighted: [a, b]}}, method: pearson,\n"
        "      n_boot: 20, n_perm: 20, name: tested}\n"
    )
    (folder / "study.yaml").write_text(text)
    done = run(folder / "study.yaml")
    assert done.exit_code == 0, done.failures
    rdms = {
        name: cs.rdm_data(values, stimulus=ids, distance="correlation")
        for name, values in (("a", a), ("b", b))
    }
    direct = cs.evaluate_models(
        {**rdms, "both": cs.models.WeightedRDM(rdms)},
        cs.rdm_data(people, stimulus=ids, distance="correlation", subject=["u", "v", "w"]),
        method="pearson",
        n_boot=20,
        n_perm=20,
        rng=0,
    )
    tested = done.results["tested"]
    assert tested.data["model"].values.tolist() == ["a", "b", "both"]
    np.testing.assert_allclose(tested.data["value"], direct.data["value"], rtol=1e-9)
    np.testing.assert_allclose(tested.pairs["difference"], direct.pairs["difference"], atol=1e-9)
    for old, new, words in (
        ("{weighted: [a, b]}", "{weighted: [a, c]}", "'c' is not one of the systems"),
        ("{weighted: [a, b]}", "{weigthed: [a, b]}", "is no kind of fitted model. Did you mean 'weighted'?"),
        ("{weighted: [a, b]}", "a", "must be one of weighted, select, interpolate with systems"),
        ("{both: ", "{a: ", "has the name of one of models:"),
        ("method: pearson", "method: bures", "method must be one of"),
    ):
        (folder / "study.yaml").write_text(text.replace(old, new, 1))
        with pytest.raises(InputError) as caught:
            load(folder / "study.yaml")
        assert words in str(caught.value)
        assert str(caught.value).startswith("study.yaml, line 8:")


def test_verbs_share_the_systems(folder):
    path = study(
        folder,
        "  - compare: {a: one, b: two, n_boot: 10, n_perm: 10}\n  - rdms: {systems: one}\n",
    )
    done = run(path)
    assert list(done.results) == ["one_two", "one_two RDMs", "one_2"]
    assert done.computed == 5  # two files, the comparison and its pictures, the RDMs


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        ("  - rdm: {systems: one}\n", "rdm is not a verb of a study. Did you mean 'rdms'?", "unknown-key"),
        ("  - rdms: {systems: onne}\n", "rdms.systems 'onne' is not one of the systems", "unknown-system"),
        ("  - rdms: {distance: euclidean}\n", "has no systems:, which rdms needs", "missing-key"),
        ("  - rdms: {systems: one, n_perm: 20}\n", "n_perm is not a key of rdms", "unknown-key"),
        (
            "  - rdms: {systems: one, folds: run}\n",
            "folds is 'run', a label that no system has",
            "unknown-label",
        ),
        ("  - rdms: {systems: one, distance: cosin}\n", "Did you mean 'cosine'?", "unknown-option"),
        (
            "  - rdms: {systems: one, by: categroy}\n",
            "by is 'categroy', which 'one' has no label for",
            "unknown-label",
        ),
    ],
)
def test_refused_with_the_line(folder, text, words, code):
    with pytest.raises(InputError) as caught:
        run(study(folder, text))
    assert words in str(caught.value)
    assert str(caught.value).startswith("study.yaml, line 8:")
    assert caught.value.code == code
    assert not (folder / "out" / "results").exists() or not list((folder / "out" / "results").iterdir())


def test_labels_and_missing_come_from_the_file(folder):
    np.save(folder / "runs.npy", np.repeat([1, 2], 12))
    text = HEAD.replace(
        "ids: ids.txt}", "ids: ids.txt, labels: {run: runs.npy, half: [" + "a, " * 23 + "b]}}", 1
    )
    (folder / "study.yaml").write_text(
        text + "analyses:\n  - compare: {a: one, b: two, groups: run, n_boot: 0, n_perm: 0}\n"
    )
    loaded = load(folder / "study.yaml")
    assert loaded.systems["one"].labels["run"] == folder / "runs.npy"
    assert folder / "runs.npy" in loaded.inputs
    assert run(folder / "study.yaml").exit_code == 0
    values = np.load(folder / "x.npy")
    values[3, 1] = np.nan
    np.save(folder / "x.npy", values)
    with pytest.raises(InputError, match="1 value is NaN"):
        run(folder / "study.yaml")
    (folder / "study.yaml").write_text(
        HEAD.replace("ids: ids.txt}", "ids: ids.txt, missing: omit}", 1)
        + "analyses:\n  - compare: {a: one, b: two, join: inner, n_boot: 0, n_perm: 0}\n"
    )
    with pytest.warns(UserWarning, match="1 of 24 trials had NaN"):
        assert run(folder / "study.yaml").results["one_two"].data["n_stimuli"].item() == 23


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ids: ids.txt}", "labels: runs.npy}", "labels must be a mapping of labels, such as"),
        ("ids: ids.txt}", "labels: {run: 'http://a.b/c'}}", "is an address, not a path"),
        ("ids: ids.txt}", "missing: drop}", "missing must be one of raise, omit, mask"),
    ],
)
def test_labels_are_refused_with_the_line(folder, old, new, words):
    (folder / "study.yaml").write_text(STUDY.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load(folder / "study.yaml")
    assert words in str(caught.value)
    assert str(caught.value).startswith("study.yaml, line 5:")


def test_the_guide_lists_every_verb_and_option():
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "howto" / "write-a-study.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name, verb in VERBS.items():
        row = next(line for line in rows if line.startswith(f"| `{name}` |"))
        assert all(f"`{key}`" in row for key in (*verb.sides, *verb.options)), name


ALONE = [(name, key) for name, verb in VERBS.items() for key, side in verb.sides.items() if side.alone]


@pytest.mark.parametrize(("name", "key"), ALONE)
def test_no_verb_takes_the_first_of_several(name, key, tmp_path):
    """A block is handed what a system turned out to hold, such as two layers of a network."""
    from consilience.study._arrays import write_arrays
    from consilience.study._blocks import verb_block

    one = cs.responses(np.eye(4), stimulus=range(4))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write_arrays(tmp_path / "one", {"one": one}, by_id=True)
    write_arrays(tmp_path / "two", {"first": one, "second": one}, by_id=True)
    sides = {side: [[side, int(side == key)]] for side in VERBS[name].sides}
    settings = {"verb": name, "sides": sides, "options": {}, "seed": 0}
    with pytest.raises(InputError, match=rf"{name}: {key}: takes one system, and there are 2") as caught:
        verb_block(settings, [tmp_path / "one", tmp_path / "two"], tmp_path)
    assert caught.value.code == "one-system"


def test_layers_named_one_by_one_are_counted_before_anything_is_recorded(folder, monkeypatch):
    torch = pytest.importorskip("torch")
    net = cs.Network(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()), name="toy", key="toy")
    monkeypatch.setattr(cs.networks, "load", lambda name: net)
    images = cs.stimuli(np.eye(4), ids=range(4)).assign_coords(category=("stimulus", list("aabb")))
    monkeypatch.setattr("consilience.study._plan.get_stimuli", lambda *_, **__: images)
    system = '  net: {network: efficientnet_lite0, layers: ["0", "1"], stimuli: objects92}\n'
    for verb in ("decode: {data: net, target: category}", "unit_report: {data: net, by: category}"):
        (folder / "study.yaml").write_text(f"{HEAD}{system}analyses:\n  - {verb}\n")
        with pytest.raises(InputError, match=r"data takes one system, and there are 2 \('net/0', 'net/1'\)"):
            run(folder / "study.yaml")
        one = verb.replace("data: net", "data: net/1")  # as the message lists them
        (folder / "study.yaml").write_text(f"{HEAD}{system}analyses:\n  - {one}\n")
        found = load(folder / "study.yaml")
        assert [analysis.name for analysis in found.analyses] == ["net_1"]
        recorded = [b for b in make_plan(found).blocks.values() if b.kind == "record"]
        assert [(b.label, b.settings["layers"]) for b in recorded] == [("net/1", ["1"])]
        (folder / "study.yaml").write_text(f"{HEAD}{system}analyses:\n  - {one.replace('/1', '/7')}\n")
        with pytest.raises(InputError, match=r"'7' is not one of the layers of 'net'\. Known: '0', '1'"):
            load(folder / "study.yaml")
