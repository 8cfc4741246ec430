"""What a study file may say, and the words in which the rest is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from consilience import InputError
from consilience.study import load
from consilience.study._write import file_name

from .conftest import STUDY


def refused(folder: Path, text: str) -> InputError:
    (folder / "study.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load(folder / "study.yaml")
    return caught.value


def test_a_study_is_read(folder):
    study = load(folder / "study.yaml")
    assert study.seed == 0
    assert study.output == folder / "out"
    assert study.systems["one"].read == folder / "x.npy"
    assert [measure.label for measure in study.analyses[0].measures] == ["rsa", "cka"]
    assert study.analyses[0].options == {"n_boot": 20, "n_perm": 20}
    assert study.title == "study"


@pytest.mark.parametrize(
    ("old", "new", "line", "words", "code"),
    [
        ("seed: 0", "sede: 0", 1, "sede is not a key of a study. Did you mean 'seed'?", "unknown-key"),
        ("seed: 0", "seed: 0\nseed: 1", 2, "has the key 'seed' twice, first on line 1", "duplicate-key"),
        ("seed: 0", "seed: zero", 1, "seed must be a whole number", "wrong-type"),
        ("seed: 0", "seed: 1.5", 1, "seed must be a whole number", "wrong-type"),
        ("seed: 0", "seed: true", 1, "seed must be a whole number", "wrong-type"),
        ("seed: 0", "seed: -1", 1, "seed must be a whole number", "wrong-type"),
        ("seed: 0", f"seed: {2**130}", 1, "from 0 to 2**128 - 1", "wrong-type"),
        ("seed: 0", "", 2, "there is no seed:, which a study needs", "missing-key"),
        ("seed: 0", "seed: !!python/name:os.system ", 1, "tags are refused", "bad-yaml"),
        ("seed: 0", "seed: [0", 2, "not valid YAML", "bad-yaml"),
        ("output: out", "output: ../out", 2, "must stay under the folder of the study", "bad-path"),
        ("output: out", "output: https://a.b/c", 2, "is an address, not a path", "url-refused"),
        ("read: x.npy", "read: 'http://a.b/x.npy'", 5, "is an address, not a path", "url-refused"),
        ("read: x.npy", "read: 'file:x.npy'", 5, "is an address, not a path", "url-refused"),
        ("read: x.npy", "raed: x.npy", 5, "Did you mean 'read'?", "bad-system"),
        (
            "read: x.npy",
            "read: x.npy, dataset: objects92",
            5,
            "has dataset and read; a system has exactly one",
            "bad-system",
        ),
        (
            "read: x.npy",
            "read: x.npy, epoch: {window: [0, 1]}",
            5,
            "has no on:, which epoch: needs",
            "missing-key",
        ),
        (
            "read: x.npy",
            "read: x.npy, epoch: {on: go, window: 1}",
            5,
            "must be [from, to] in seconds",
            "wrong-type",
        ),
        (
            "read: x.npy",
            "read: x.npy, epoch: {on: go, window: [1, 0]}",
            5,
            "with from below to",
            "bad-window",
        ),
        ("read: x.npy", "read: x.npy, epoch: {on: go, bins: 1}", 5, "Did you mean 'bin'?", "unknown-key"),
        ("read: x.npy", "read: x.npy, epoch: {on: go}, bin: 1", 5, "is cut in one way", "bad-system"),
        ("read: x.npy", "read: x.npy, bin: 0", 5, "must be a number between 0", "wrong-type"),
        ("read: x.npy", "read: x.npy, bin: 0.1", 5, "ids belongs to an array", "bad-system"),
        ("read: x.npy", "read: x.npy, units: [a]", 5, "which needs epoch: or bin:", "bad-system"),
        ("kind: rate", "kind: rates", 6, "Did you mean 'rate'?", "unknown-option"),
        ("kind: rate", "dims: [unit, trial]", 6, "must be one of [trial, unit]", "wrong-type"),
        ("- compare", "- compair", 8, "is not a verb of a study. Did you mean 'compare'?", "unknown-key"),
        ("a: one", "a: onne", 8, "'onne' is not one of the systems. Did you mean 'one'?", "unknown-system"),
        ("a: one", "a: [one, one]", 8, "names a system twice", "wrong-type"),
        ("[rsa, cka]", "[rsa, ckaa]", 8, "'ckaa' is not a measure. Did you mean 'cka'", "unknown-measure"),
        ("[rsa, cka]", "[rsa, rsa]", 8, "names a measure twice", "wrong-type"),
        ("[rsa, cka]", "[]", 8, "is an empty list", "wrong-type"),
        ("n_boot: 20", "n_boot: -1", 8, "n_boot must be a whole number, from 0", "wrong-type"),
        ("n_boot: 20", "level: 1.0", 8, "level must be a number between 0 and 1", "wrong-type"),
        ("n_boot: 20", "held_out: 3", 8, "held_out must be true or false", "wrong-type"),
        (
            "n_boot: 20",
            "baseline: {untrained: 2}",
            8,
            "needs networks on side a, and 'one' is none",
            "bad-baseline",
        ),
        ("n_boot: 20", "bset: 2", 8, "Known: 'a', 'b', 'measure'", "unknown-key"),
        ("n_boot: 20", "n_perms: 2", 8, "Did you mean 'n_perm'", "unknown-key"),
        ("n_boot: 20", "n_boot: 1", 8, "n_boot must be 0 for none, or some hundreds", "wrong-type"),
        ("n_boot: 20", "baseline: {untraind: 2}", 8, "Did you mean 'untrained'", "unknown-key"),
        (
            "{read: x.npy, ids: ids.txt}",
            "{dataset: objects29}",
            5,
            "systems.one.dataset 'objects29' is no data set that is known. Did you mean 'objects92'?",
            "unknown-name",
        ),
        (
            "{read: x.npy, ids: ids.txt}",
            "{network: efficientnet_lite, layers: a, stimuli: objects92}",
            5,
            "systems.one.network 'efficientnet_lite' is no network that is known. Did you mean 'efficientnet_lite0'?",
            "unknown-name",
        ),
        (
            "[rsa, cka]",
            "[{name: rsa, distnace: cosine}]",
            8,
            "measure[0].distnace is not an option of rsa. Did you mean 'distance'?",
            "unknown-option",
        ),
        (
            "[rsa, cka]",
            "{name: rsa, distance: cosin}",
            8,
            "measure.distance must be one of 'correlation', 'euclidean', 'sqeuclidean', 'cosine', got 'cosin'. "
            "Did you mean 'cosine'?",
            "unknown-option",
        ),
        (
            "[rsa, cka]",
            "{name: rsa, distance: [cosine]}",
            8,
            "measure.distance must be one of",
            "unknown-option",
        ),
        ("[rsa, cka]", "{name: cka, debiased: 'yes'}", 8, "measure.debiased must be", "bad-parameter"),
        ("[rsa, cka]", "{name: svcca, k: 2.5}", 8, "measure.k must be a whole number", "bad-parameter"),
        ("[rsa, cka]", "{name: linear_predictivity, alphas: [1, x]}", 8, "measure.alphas ", None),
        ("[rsa, cka]", "{name: procrustes, folds: 3.5}", 8, "measure.folds ", None),
        (
            "[rsa, cka]",
            "{name: linear_predictivity, groups: session}",
            8,
            "measure.groups is not set for one measure; give groups: of compare",
            "unknown-option",
        ),
        (
            "[rsa, cka]",
            "[{name: rsa, distance: cosine, method: cosine}, {name: rsa, method: cosine, distance: cosine}]",
            8,
            "names a measure twice",
            "wrong-type",
        ),
    ],
)
def test_refused_with_the_line(folder, old, new, line, words, code):
    assert old in STUDY
    error = refused(folder, STUDY.replace(old, new, 1))
    assert words in str(error)
    assert str(error).startswith(f"study.yaml, line {line}:")
    assert code is None or error.code == code
    assert len(str(error)) < 500


def test_options_are_those_of_the_line_that_is_wrong(folder):
    text = STUDY.replace(
        "{a: one, b: two, measure: [rsa, cka], n_boot: 20, n_perm: 20}",
        "\n      a: one\n      b: two\n      measure:\n        - name: rsa\n          method: kendall\n"
        "          distance: cosin\n",
    )
    assert str(refused(folder, text)).startswith(
        "study.yaml, line 14: analyses[0].compare.measure[0].distance must"
    )


def test_right_options_are_kept(folder):
    text = STUDY.replace(
        "[rsa, cka]", "[rsa, {name: rsa, method: kendall}, {name: cca, regularization: 0.5}]"
    )
    (folder / "study.yaml").write_text(text.replace("n_boot: 20", "groups: category, held_out: false"))
    analysis = load(folder / "study.yaml").analyses[0]
    assert [dict(measure.options) for measure in analysis.measures] == [
        {},
        {"method": "kendall"},
        {"regularization": 0.5},
    ]
    assert analysis.options == {"groups": "category", "held_out": False, "n_perm": 20}


def test_boms_and_carriage_returns_are_accepted(folder):
    (folder / "study.yaml").write_bytes(b"\xef\xbb\xbf" + STUDY.replace("\n", "\r\n").encode())
    assert load(folder / "study.yaml").seed == 0


def test_names_stay_what_they_are_written(folder):
    text = (
        STUDY.replace("one:", "yes:")
        .replace("a: one", "a: yes")
        .replace("two:", "007:")
        .replace("b: two", "b: 007")
    )
    (folder / "study.yaml").write_text(text)
    study = load(folder / "study.yaml")
    assert list(study.systems) == ["yes", "007"]
    assert study.analyses[0].b == ("007",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "holds no settings"),
        (b"seed: \xff\xfe", "not UTF-8"),
        (b"seed: \x00", "control character"),
        (b"- 1\n", "must be a mapping"),
        (b"a: &a [*a]\n", "line 1"),
        (b"seed: 0\nx: " + b"[" * 300 + b"]" * 300, "nested too deeply"),
    ],
)
def test_files_that_are_no_study(folder, content, words):
    (folder / "study.yaml").write_bytes(content)
    with pytest.raises(InputError, match=words):
        load(folder / "study.yaml")


def test_anchors_cannot_blow_up(folder):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)
    ]
    error = refused(folder, "\n".join(lines))
    assert "repeats itself through anchors" in str(error)


def test_missing_file_and_folder(folder):
    with pytest.raises(InputError, match="does not exist"):
        load(folder / "no.yaml")
    with pytest.raises(InputError, match="is a folder"):
        load(folder)


def test_a_mapping_is_checked_alike():
    with pytest.raises(InputError, match=r"study: sede is not a key of a study\. Did you mean 'seed'"):
        load({"sede": 0})


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "..", ".", "a/b", "x\0y", "=1+1", "n" * 5000, "\x1b[31m", "é"]
)
def test_file_names_stay_in_the_folder(name):
    safe = file_name(name)
    assert "/" not in safe
    assert not safe.startswith(".")
    assert 0 < len(safe) < 100
    assert safe.isprintable()
    assert safe != file_name(name + "!")


def test_file_names_keep_letters_of_any_script():
    assert file_name("größe_猫") == "größe_猫"
    assert file_name("größe_a:b").startswith("größe_a_b-")
    assert len(file_name("猫" * 500).encode()) < 200
