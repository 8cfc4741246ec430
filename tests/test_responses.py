"""The schema: making, checking, aligning, averaging, splitting."""

import numpy as np
import pytest
import xarray as xr

import consilience as cs

X = np.arange(12.0).reshape(4, 3)
IDS = list("abcd")


def test_responses_follow_the_schema():
    r = cs.responses(
        X,
        kind="rate",
        stimulus=IDS,
        unit=["u", "v", "w"],
        system="V1",
        category=list("xxyy"),
        area=["A", "A", "B"],
    )
    assert r.dims == ("trial", "unit")
    assert r.attrs["kind"] == "rate"
    assert r.attrs["system"] == "V1"
    assert type(r) is xr.DataArray
    assert r["category"].dims == ("trial",)
    assert r["area"].dims == ("unit",)
    assert not r.indexes or "trial" not in r.indexes


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        ("float64", "float64"),
        ("float32", "float32"),
        ("float16", "float32"),
        ("int16", "float64"),
        ("bool", "float64"),
        (">f8", "float64"),
    ],
)
def test_types_are_kept_or_widened(dtype, kept):
    x = np.array([[0, 1], [1, 0], [1, 1]], dtype=dtype)
    r = cs.responses(x, stimulus=list("abc"))
    assert r.dtype == np.dtype(kept)
    np.testing.assert_array_equal(r.values, x.astype(float))


def test_torch_tensors_and_frames_come_in():
    import pandas as pd

    torch = pytest.importorskip("torch")
    for x in (torch.tensor(X, requires_grad=True), pd.DataFrame(X), xr.DataArray(X), X.tolist()):
        np.testing.assert_array_equal(cs.responses(x, stimulus=IDS, dims=("trial", "unit")).values, X)
    half = torch.tensor(X).to(torch.bfloat16)
    assert cs.responses(half, stimulus=IDS).dtype == np.float32


def test_float64_is_not_copied_and_never_changed():
    x = X.copy()
    r = cs.responses(x, stimulus=IDS)
    assert np.shares_memory(r.values, x)
    cs.average(r), cs.align(r, r[::-1])
    assert (x == X).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kind": "rates"}, "kind must be one of .*Did you mean 'rate'"),
        ({"stimulus": list("abc")}, "stimulus has 3 ids for 4 rows"),
        ({"stimulus": ["a", "b", "c", 1]}, "must all be text or all be whole numbers, got 'a' beside 1"),
        ({"stimulus": [1.5, 2.0, 3.0, 4.0]}, "must all be text or all be whole numbers"),
        ({"stimulus": [True, False, True, False]}, "must all be text or all be whole numbers"),
        ({"stimulus": "abcd"}, "must be a list of 4 ids"),
        ({"stimulus": list("aabc")}, r"come more than once \('a'\); pass repeat='count'"),
        ({"repeat": "coutn"}, "repeat must be one of 'count'"),
        ({"repeat": [0, 1]}, "repeat must be 'count' or 4 whole numbers"),
        ({"unit": ["u", "u", "v"]}, "unit names must differ; 'u' come more than once"),
        ({"category": list("ab")}, r"label 'category' must have one entry per trial \(4\) or per unit \(3\)"),
        ({"valid": [True] * 4}, "the label 'valid' has a meaning of its own"),
        ({"missing": "drop"}, "missing must be one of 'raise', 'omit', 'mask'"),
        ({"dims": ("unit", "trial")}, r"dims must be one of \('trial', 'unit'\)"),
        ({"dims": ("trial", "time", "unit")}, "fit shape"),
    ],
)
def test_what_does_not_fit_is_refused(options, text):
    with pytest.raises(cs.InputError, match=rf"^cs\.responses: .*{text}") as caught:
        cs.responses(X, **{"stimulus": IDS, **options})
    assert "\n" not in str(caught.value)


def test_three_axes_are_never_guessed():
    with pytest.raises(cs.InputError, match="needs dims="):
        cs.responses(np.zeros((4, 2, 3)), stimulus=IDS)
    r = cs.responses(np.zeros((4, 2, 3)), stimulus=IDS, dims=("trial", "time", "unit"), time=[0.0, 0.5])
    assert r["time"].values.tolist() == [0.0, 0.5]
    for bad in ([0.5, 0.0], [0.0], [0.0, np.nan], [0.0, 0.0]):
        with pytest.raises(cs.InputError, match="increasing finite numbers"):
            cs.responses(np.zeros((4, 2, 3)), stimulus=IDS, dims=("trial", "time", "unit"), time=bad)


def test_missing_values_by_policy():
    x = X.copy()
    x[1, 2] = np.nan
    with pytest.raises(cs.InputError, match=r"1 value is NaN, first at \(trial 1 = 'b', unit 2 = 2\)"):
        cs.responses(x, stimulus=IDS)
    with pytest.warns(cs.ConsilienceWarning, match=r"trials-omitted.*1 of 4"):
        omitted = cs.responses(x, stimulus=IDS, missing="omit")
    assert omitted["stimulus"].values.tolist() == list("acd")
    marked = cs.responses(x, stimulus=IDS, missing="mask")
    assert marked["valid"].values.tolist() == [True, False, True, True]
    with pytest.raises(cs.InputError, match="no valid trial for stimulus 'b'"):
        cs.average(marked)


def test_what_cannot_be_omitted_is_said_with_what_works():
    series = np.ones((5, 3))
    series[2, 1] = np.nan
    for missing in ("raise", "omit", "mask"):
        with pytest.raises(cs.InputError, match=r"a series has no trials .* Leave those times out: keep ="):
            cs.responses(series, dims=("time", "unit"), time=np.arange(5), missing=missing)
    x = np.ones((4, 3, 2))
    x[:, 1] = np.nan
    given = {"stimulus": IDS, "dims": ("trial", "time", "unit"), "missing": "omit"}
    with pytest.raises(
        cs.InputError, match=r"at 0\.1 s no unit is valid in any trial: leave out those times"
    ):
        cs.responses(x, time=[0, 0.1, 0.2], **given)
    y = np.ones((4, 3, 2))
    y[..., 1] = np.nan
    with pytest.raises(cs.InputError, match=r"1 of 2 units are never valid \(\[1\]\)"):
        cs.responses(y, time=[0, 0.1, 0.2], **given)
    y[:, 0, 1] = 1
    with pytest.raises(cs.InputError, match="1 of 2 units have some"):
        cs.responses(y, time=[0, 0.1, 0.2], **given)
    with pytest.raises(cs.InputError, match=r"time must be 3 .* got 4: "):
        cs.responses(np.ones((4, 3, 2)), time=[0, 0.1, 0.2, 0.3], **given)
    gap = cs.responses(
        np.random.default_rng(0).normal(size=(60, 2)), dims=("time", "unit"), time=np.arange(60)
    )
    gap[3, 0] = np.nan
    with pytest.raises(
        cs.InputError, match=r"leave those times out, data\[np\.isfinite\(data\)\.all\('unit'\)\]"
    ):
        cs.encode(gap, gap)
    assert gap[np.isfinite(gap).all("unit")].sizes["time"] == 59


def test_masked_trials_do_not_count_in_a_mean():
    x = np.array([[1.0], [3.0], [np.nan], [5.0]])
    r = cs.responses(x, stimulus=list("aaab"), repeat="count", missing="mask")
    assert cs.average(r).values.ravel().tolist() == [2.0, 5.0]
    assert cs.average(r)["n_repeats"].values.tolist() == [2, 1]
    y = np.ma.MaskedArray(np.array([[1.0], [3.0], [99.0], [5.0]]), mask=[[0], [0], [1], [0]])
    s = cs.responses(y, stimulus=list("aaab"), repeat="count", missing="mask")
    assert cs.average(s).values.ravel().tolist() == [2.0, 5.0]


def test_ids_made_up_are_said():
    with pytest.warns(cs.ConsilienceWarning, match="made-up-ids") as record:
        r = cs.responses(X)
    assert r["stimulus"].values.tolist() == ["stim0000", "stim0001", "stim0002", "stim0003"]
    assert record[0].filename == __file__
    for quiet in (
        cs.responses(X, category=list("aabb")),
        cs.responses(X[:1]),
    ):  # no warning, which would be an error
        assert "made-up-ids" in quiet.attrs["consilience_warnings"]
    with pytest.warns(cs.ConsilienceWarning, match="made-up-ids"):
        cs.responses(X, depth=list(range(X.shape[1])))  # a label of units names no trial


def test_align_orders_by_id_and_keeps_labels():
    one = cs.responses(X, stimulus=list("dcba"), category=list("wxyz"))
    two = cs.responses(X, stimulus=list("abcd"))
    a, b = cs.align(one, two)
    assert a["stimulus"].values.tolist() == b["stimulus"].values.tolist() == IDS
    assert a["category"].values.tolist() == list("zyxw")
    np.testing.assert_array_equal(a.values, X[::-1])


def test_align_keeps_repeats_together():
    r = cs.responses(X, stimulus=list("baba"), repeat="count")
    (a,) = cs.align(r)
    assert a["stimulus"].values.tolist() == list("aabb")
    assert a["repeat"].values.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("name", ["🧠", "שלום", 'a"b', "x\ny", "a\x00b", "$x_1$", "n" * 10000, "<b>"])
def test_any_text_is_an_id(name):
    one = cs.responses(X[:2], stimulus=[name, "b"], unit=["u", "v", name])
    two = cs.responses(X[:2], stimulus=["b", name])
    a, b = cs.align(one, two)
    assert a["stimulus"].values.tolist() == b["stimulus"].values.tolist()
    assert name in a["stimulus"].values.tolist()
    with pytest.raises(cs.InputError) as caught:
        cs.align(one, two[:1])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_split_and_unflatten():
    r = cs.responses(
        np.arange(8.0).reshape(2, 4),
        stimulus=["a", "b"],
        channel=[0, 0, 1, 1],
        y=[0, 0, 0, 0],
        x=[0, 1, 0, 1],
    )
    parts = cs.split(r, by="channel")
    assert list(parts) == [0, 1]
    np.testing.assert_array_equal(parts[1].values, r.values[:, 2:])
    maps = cs.unflatten(r)
    assert maps.shape == (2, 2, 1, 2)
    np.testing.assert_array_equal(maps.values.reshape(2, 4), r.values)
    with pytest.raises(KeyError, match=r"no coordinate 'chanel'.*Did you mean 'channel'"):
        cs.split(r, by="chanel")
    with pytest.raises(cs.InputError, match=r"channel, y and x \(or token and feature\) on unit are needed"):
        cs.unflatten(cs.responses(X, stimulus=IDS))


def test_unflatten_of_tokens_gives_courses():
    courses = np.arange(24.0).reshape(2, 3, 4)
    token, feature = (v.ravel() for v in np.indices((3, 4)))
    order = np.random.default_rng(0).permutation(12)
    flat = cs.responses(
        courses.reshape(2, 12)[:, order],
        stimulus=["a", "b"],
        token=token[order],
        feature=feature[order],
    ).assign_coords(side=("trial", ["left", "right"]), part=("unit", ["rnn"] * 12))
    found = cs.unflatten(flat)
    assert found.dims == ("trial", "time", "unit")
    np.testing.assert_array_equal(found.values, courses)
    np.testing.assert_array_equal(found["time"], [0, 1, 2])
    assert found.attrs["time_units"] == "step"
    assert {"side", "stimulus", "feature", "part"} <= set(found.coords)
    assert "token" not in found.coords
    with pytest.raises(cs.InputError, match="leave whole tokens or whole features out"):
        cs.unflatten(flat[:, :-1])


D = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))


@pytest.mark.parametrize(
    ("rdms", "options", "text"),
    [
        (D[:3], {}, "must be .stimulus, stimulus."),
        (D + np.eye(4), {}, "on its diagonal; .*Is it a similarity"),
        (D + np.triu(np.ones((4, 4)), 1), {}, "is not symmetric"),
        (np.where(D == 3, np.nan, D), {}, "NaN or infinite entry"),
        (D[:2, :2], {"stimulus": ["a", "b"]}, "at least 3 stimuli"),
        (D, {"stimulus": list("aabc")}, "must differ; 'a' come more than once"),
        (D, {"distance": "euclid"}, "Did you mean 'euclidean'"),
        (D, {"subject": ["a", "b"]}, "subject has 2 ids for 1 row;"),
        (D.astype(complex), {}, "must hold real numbers"),
        (np.zeros((2, 0, 0)), {"stimulus": []}, "at least 3 stimuli|must be"),
    ],
)
def test_rdm_data_refuses(rdms, options, text):
    with pytest.raises(cs.InputError, match=rf"^cs\.rdm_data: .*({text})"):
        cs.rdm_data(rdms, **{"stimulus": IDS, **options})


def test_rdm_data_takes_square_stacked_and_condensed():
    condensed = D[np.triu_indices(4, 1)]
    for given in (D, D[None], condensed, condensed[None]):
        r = cs.rdm_data(given, stimulus=IDS)
        assert r.dims == ("rdm", "stimulus", "stimulus_")
        np.testing.assert_array_equal(r.values[0], D)


def test_masked_entries_are_said_to_be_masked():
    x = np.ma.masked_array(np.arange(12.0).reshape(4, 3), mask=np.eye(4, 3, k=1, dtype=bool))
    with pytest.raises(cs.InputError, match=r"cs\.responses: the array has 2 masked entries") as error:
        cs.responses(x, stimulus=list("abcd"))
    assert error.value.code == "masked-values"
    with pytest.warns(cs.ConsilienceWarning):
        assert cs.responses(x, stimulus=list("abcd"), missing="omit").sizes["trial"] == 2
    assert cs.responses(np.ma.masked_array(x.data), stimulus=list("abcd")).sizes["trial"] == 4


def test_a_data_frame_brings_its_labels():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        X, index=[f"s{i}" for i in range(len(X))], columns=[f"u{i}" for i in range(X.shape[1])]
    )
    data = cs.responses(frame)
    assert data["stimulus"].values.tolist() == list(frame.index)
    assert data["unit"].values.tolist() == list(frame.columns)
    given = [f"t{i}" for i in range(len(X))]
    assert cs.responses(frame, stimulus=given)["stimulus"].values.tolist() == given
    series = cs.responses(frame.set_axis(np.arange(len(X)) / 10), dims=("time", "unit"))
    np.testing.assert_allclose(series["time"], np.arange(len(X)) / 10)
    with pytest.warns(cs.ConsilienceWarning, match="made-up-ids"):  # rows that are only counted have no ids
        assert cs.responses(pd.DataFrame(X))["unit"].values.tolist() == list(range(X.shape[1]))
    with pytest.raises(cs.InputError, match=r"1 of .* columns .* no numbers .*word"):
        cs.responses(frame.assign(word="a"))
