"""Arrays made by hand, or spoilt after they were made, are refused by every verb in one clear sentence."""

import numpy as np
import pytest
import xarray as xr

import consilience as cs

IDS = [f"s{i}" for i in range(6)]
X = np.random.default_rng(0).normal(size=(6, 4))


def by_hand(attrs=None, **coords):
    given = {"stimulus": ("trial", IDS), "unit": np.arange(4), **coords}
    return xr.DataArray(
        X,
        dims=("trial", "unit"),
        coords={name: c for name, c in given.items() if c is not None},
        attrs={"kind": "rate"} if attrs is None else attrs,
    )


RESPONSES = {
    "unknown kind": (
        by_hand({"kind": "rates"}),
        "unknown-option",
        "'kind'.* got 'rates'.*Did you mean 'rate'",
    ),
    "float ids": (by_hand(stimulus=("trial", np.arange(6.0))), "bad-ids", "all be whole numbers, got 0.0;"),
    "ids of two types": (
        by_hand(stimulus=("trial", np.array([*IDS[:5], 5], dtype=object))),
        "bad-ids",
        "got 's0' beside 5",
    ),
    "boolean ids": (by_hand(stimulus=("trial", np.ones(6, bool))), "bad-ids", "whole numbers, got True"),
    "large ids": (
        by_hand(stimulus=("trial", np.arange(2**63, 2**63 + 6, dtype=np.uint64))),
        "bad-ids",
        "must fit in 64 bits.* got 9223372036854775808; pass them as text",
    ),
    "surrogates": (
        by_hand(stimulus=("trial", np.array([*IDS[:5], "\udce9"]))),
        "bad-ids",
        r"valid Unicode text, got '\\udce9'",
    ),
    "no ids": (by_hand(stimulus=None), "bad-ids", "no coordinate 'stimulus' on trial"),
    "repeats unnumbered": (by_hand(stimulus=("trial", list("aabbcc"))), "repeated-ids", "repeat='count'"),
    "pairs twice": (
        by_hand(stimulus=("trial", list("aabbcc")), repeat=("trial", [0, 0, 0, 1, 0, 1])),
        "repeated-ids",
        r"pairs \(stimulus, repeat\) that come more than once",
    ),
    "repeat on unit": (by_hand(repeat=("unit", [0, 1, 2, 3])), "bad-ids", "'repeat' .* must be on trial"),
    "duplicate units": (by_hand(unit=[0, 1, 1, 2]), "repeated-units", "must differ; 1 come more than once"),
    "float units": (by_hand(unit=[0.5, 1.0, 1.5, 2.0]), "bad-ids", "unit names .* got 0.5"),
    "numbers as mask": (by_hand(valid=("trial", [1, 1, 0, 1, 1, 1])), "bad-label", "must be True or False"),
    "mask on units": (by_hand(valid=("unit", np.ones(4, bool))), "bad-label", "must be True or False"),
}


@pytest.mark.parametrize("case", RESPONSES)
@pytest.mark.parametrize("verb", ["compare", "rdms", "average", "align"])
def test_responses_made_by_hand_are_checked(case, verb):
    data, code, text = RESPONSES[case]
    good = by_hand()
    call = {
        "compare": lambda: cs.compare(good, data, "cka", n_boot=0, n_perm=0, rng=0),
        "rdms": lambda: cs.rdms({"good": good, "other": data}),
        "average": lambda: cs.average(data),
        "align": lambda: cs.align(good, data),
    }[verb]
    with pytest.raises(cs.InputError, match=rf"^cs\.{verb}: .*{text}") as caught:
        call()
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


D = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0)))


def rdm_by_hand(values=D[None], attrs=None, **coords):
    given = {"stimulus": IDS, "stimulus_": IDS, "subject": ("rdm", ["p"] * len(values)), **coords}
    return xr.DataArray(
        values,
        dims=("rdm", "stimulus", "stimulus_"),
        coords={name: c for name, c in given.items() if c is not None},
        attrs=attrs or {"distance": "unknown"},
    )


RDMS = {
    "other columns": (rdm_by_hand(stimulus_=IDS[::-1]), "bad-ids", "rows and columns .* same ids"),
    "no ids": (rdm_by_hand(stimulus_=None), "bad-ids", "no ids on stimulus_"),
    "equal ids": (
        rdm_by_hand(stimulus=list("aabcde"), stimulus_=list("aabcde")),
        "repeated-ids",
        "'a' come more than once",
    ),
    "distance": (rdm_by_hand(attrs={"distance": "euclid"}), "unknown-option", "Did you mean 'euclidean'"),
    "similarity": (rdm_by_hand((5 - D)[None]), "bad-diagonal", "is it a similarity"),
    "lopsided": (rdm_by_hand(np.triu(D)[None]), "not-symmetric", "not symmetric"),
    "whose": (rdm_by_hand(np.stack([D, D]), subject=None), "bad-label", "not known whose they are"),
    "none": (rdm_by_hand(np.empty((0, 6, 6))), "too-few", "at least 1 RDM"),
    "subject elsewhere": (rdm_by_hand(subject=("stimulus", IDS)), "bad-label", "must be on rdm"),
}


@pytest.mark.parametrize("case", RDMS)
def test_rdm_data_made_by_hand_is_checked(case):
    data, code, text = RDMS[case]
    with pytest.raises(cs.InputError, match=rf"^cs\.compare: .*{text}") as caught:
        cs.compare(by_hand(), data, n_boot=0, n_perm=0, rng=0)
    assert caught.value.code == code


def test_what_follows_the_schema_is_taken_as_it_is():
    good = by_hand()
    as_object = by_hand(stimulus=("trial", np.array(IDS, dtype=object)))  # as netCDF files give them
    unsigned = by_hand(stimulus=("trial", np.arange(6, dtype=np.uint64)))
    assert cs.align(good)[0].identical(good)
    assert cs.align(good, as_object)[1]["stimulus"].dtype.kind == "U"
    assert cs.align(by_hand(stimulus=("trial", np.arange(6))), unsigned)[1]["stimulus"].dtype == np.int64
    bare = by_hand({})  # arithmetic in xarray drops attributes
    with pytest.warns(cs.ConsilienceWarning, match="ceiling-missing"):
        assert cs.compare(good, bare, "cka", n_boot=0, n_perm=0, rng=0).value == pytest.approx(1.0)


def test_a_stack_of_rdms_without_subjects_says_how_it_is_read():
    with pytest.warns(cs.ConsilienceWarning, match="made-up-subjects.* V1 has 2 RDMs .* pass|Pass") as seen:
        data = cs.rdm_data(np.stack([D, D + 0 * D]), stimulus=IDS, system="V1")
    assert seen[0].filename == __file__
    assert data["subject"].values.tolist() == ["s1", "s2"]
    with pytest.warns(cs.ConsilienceWarning, match="made-up-subjects"):
        result = cs.rdms(data)
    assert [c.code for c in result.warnings] == ["made-up-subjects"]
    cs.rdm_data(D, stimulus=IDS)  # one RDM is one subject: nothing to say


# -- what came as a bare exception of a library ------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "code", "text"),
    [
        (lambda torch: torch.ones(4, 3).to_sparse(), "sparse-array", r"array\.to_dense\(\)"),
        (lambda torch: torch.ones(4, 3).to_sparse_csr(), "sparse-array", r"array\.to_dense\(\)"),
        (
            lambda torch: torch.empty(4, 3, device="meta"),
            "not-an-array",
            "cannot be read as plain numbers .*meta",
        ),
    ],
    ids=["sparse", "csr", "meta"],
)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
def test_tensors_without_plain_numbers(make, code, text):
    array = make(pytest.importorskip("torch"))
    for verb in (cs.responses, cs.rdm_data):
        with pytest.raises(cs.InputError, match=text) as caught:
            verb(array, stimulus=list("abcd"))
        assert caught.value.code == code


@pytest.mark.parametrize("path", [None, 3, "", b"r.nc", "a\x00b", "\udce9.nc"])
def test_what_is_no_file_name_is_refused(path):
    result = cs.rdms(by_hand())
    for who, call in (("cs.load", cs.load), ("save", result.save)):
        with pytest.raises(cs.InputError, match=f"^{who}: ") as caught:
            call(path)
        assert caught.value.code == "bad-path"


def test_a_name_that_no_file_can_hold_is_refused_at_the_door_and_when_saved(tmp_path):
    with pytest.raises(cs.InputError, match=r"names in systems must be valid Unicode text, got 'caf\\udce9'"):
        cs.rdms({"caf\udce9": by_hand()})
    import dataclasses

    result = cs.rdms(by_hand())
    spoilt = dataclasses.replace(result, rdms=result.rdms.assign_coords(system=["caf\udce9"]))
    with pytest.raises(cs.InputError, match="rename it and compute again"):
        spoilt.save(tmp_path / "r.nc")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key_of_the_best_is_an_unknown_name():
    latent = by_hand({"kind": "latent"})
    data = {name: latent.copy(data=X + i * X[::-1]) for i, name in enumerate(("one", "two"))}
    result = cs.compare(data, {"V1": latent}, ["rsa", "cka"], n_boot=0, n_perm=0, rng=0)
    best = result.best()
    assert best["rsa"].value == best["rsa", "V1"].value  # one system on the other side
    for key in (1, None, ("rsa",), ("rsa", "V1", "V1")):
        with pytest.raises(KeyError, match=r"a pair \[measure, system of side b\]"):
            best[key]
    for key in ("rsaa", ("rsa", "V2"), (["rsa"], "V1"), (np.arange(2), "V1")):
        with pytest.raises(KeyError, match="Best: no "):
            best[key]
