"""Single values that are missing: from the array to the verbs that take them, and refused by all others."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from test_handed_a_result import CALLS, IDS

import consilience as cs
from consilience._responses import check_with_missing
from consilience.sources import read_array
from consilience.stats import autocorrelation_time

TIME = np.arange(10) * 0.1
SIDE = np.tile(["left", "right"], 30)


def planted(share=0.1, seed=0, n=60):
    """Two sides along a ramp, and what units share, with a share of single values missing."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, 10)[:, None] * np.where(SIDE[:n] == "left", 2, -2)[:, None, None]
    x = ramp * rng.normal(size=12) + rng.normal(size=(n, 10, 1)) * rng.normal(size=12)
    x += 0.5 * rng.normal(size=(n, 10, 12))
    holes = x.copy()
    holes[rng.random(x.shape) < share] = np.nan
    return x, holes


def made(x, missing="mask_values", **more):
    ids = [f"t{k}" for k in range(len(x))]
    return cs.responses(
        x,
        dims=("trial", "time", "unit"),
        time=TIME,
        stimulus=ids,
        side=SIDE[: len(x)],
        missing=missing,
        **more,
    )


# -- the door


def test_the_mask_is_over_no_more_dims_than_it_takes():
    x, holes = planted(n=6)
    assert "valid" not in made(x).coords
    scattered = made(holes)
    assert scattered["valid"].dims == ("trial", "time", "unit")
    assert np.array_equal(~scattered["valid"].values, np.isnan(holes))
    ragged = x.copy()
    ragged[1, 7:] = np.nan
    assert made(ragged)["valid"].dims == ("trial", "time")
    lost = x[:, 0].copy()
    lost[2] = np.nan
    assert cs.responses(lost, stimulus=range(6), missing="mask_values")["valid"].dims == ("trial",)
    series = cs.responses(holes[0], dims=("time", "unit"), time=TIME, missing="mask_values")
    assert series["valid"].dims == ("time", "unit")


def test_masked_arrays_frames_and_dask_arrays_too():
    _, holes = planted(n=6)
    masked = np.ma.masked_invalid(holes)
    want = made(holes)["valid"].values
    assert np.array_equal(made(masked)["valid"].values, want)
    dask = pytest.importorskip("dask.array")
    lazy = made(dask.from_array(holes, chunks=(2, 10, 12)))
    assert np.array_equal(lazy["valid"].values, want)
    assert lazy.chunks is not None


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (np.s_[:, 3], "at 0.3 s no unit is valid in any trial: leave out those times first"),
        (np.s_[:, :, 2:4], r"2 of 12 units are never valid \(\[2, 3\]\): leave them out first"),
    ],
    ids=["time", "unit"],
)
def test_what_is_never_valid_is_refused(where, said):
    x, _ = planted(n=6)
    x[where] = np.nan
    with pytest.raises(cs.InputError, match=said):
        made(x)


def test_infinite_values_are_no_missing_values():
    x, _ = planted(n=6)
    x[0, 0, 0] = np.inf
    with pytest.raises(cs.InputError, match="1 value is infinite"):
        made(x)


def test_the_refusal_of_nan_names_the_way():
    _, holes = planted(n=6)
    with pytest.raises(cs.InputError, match="or 'mask_values' to mark these values alone"):
        made(holes, missing="raise")
    with pytest.raises(cs.InputError, match="pass missing='mask_values' for models that take missing values"):
        made(holes, missing="mask")


def test_nan_where_valid_says_a_value_is_refused():
    _, holes = planted(n=6)
    data = made(holes)
    valid = data["valid"].copy(data=np.ones(data.shape, bool))
    valid[0, 0, 0] = False
    with pytest.raises(cs.InputError, match="NaN or infinite"):
        cs.reduce(data.assign_coords(valid=valid))
    assert check_with_missing(data, who="x")[1].sum() == np.isnan(holes).sum()


def test_what_is_left_without_missing_values_is_whole_again():
    _, holes = planted(share=0.002)
    data = made(holes)
    whole = data.isel(trial=data["valid"].all(["time", "unit"]).values)
    assert 2 < whole.sizes["trial"] < 60
    found = cs.subspaces(whole, by="side", condition=None, n_null=0, n_splits=1, rng=0)
    assert found.settings["n_units"] == 12


@pytest.mark.parametrize("ragged", [False, True], ids=["scattered", "ragged"])
def test_a_file_keeps_the_mask(tmp_path, ragged):
    x, holes = planted(n=6)
    if ragged:
        holes = x.copy()
        holes[1, 7:] = np.nan
    data = made(holes)
    data.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    again = read_array(tmp_path / "x.nc")
    assert again["valid"].dims == data["valid"].dims
    assert np.array_equal(again["valid"].values, data["valid"].values)
    filled = data.copy(data=np.nan_to_num(data.values))  # what is marked counts, not what stands there
    filled.to_netcdf(tmp_path / "y.nc", engine="h5netcdf")
    again = read_array(tmp_path / "y.nc")
    assert np.array_equal(again["valid"].values, data["valid"].values)
    assert np.isnan(again.values).sum() == np.isnan(holes).sum()


# -- all verbs but those that take them

FLAT = cs.responses(np.where(np.eye(12, 6) > 0, np.nan, 1.0) * np.arange(72).reshape(12, 6), stimulus=IDS,
                    missing="mask_values")  # fmt: skip
PLACES = [(verb, name) for verb, calls in CALLS.items() for name in calls]
MORE = {
    "average": lambda d: cs.average(d),
    "align": lambda d: cs.align(d, d),
    "baseline": lambda d: cs.baseline(d, window=(0, 0.2)),
    "smooth": lambda d: cs.smooth(d, sd=0.1),
    "pseudo_population": lambda d: cs.pseudo_population({"a": d}, by="stimulus").draw(2, 0),
    "unit_report": lambda d: cs.unit_report(d, by="stimulus"),
}


def masked(dims):
    if dims == ("trial", "unit"):
        return FLAT
    x = np.random.default_rng(0).normal(size=(12, 5, 6) if "trial" in dims else (40, 6))
    x[2, ..., 1] = np.nan
    ids = {"stimulus": IDS} if "trial" in dims else {}
    return cs.responses(x, dims=dims, time=np.arange(x.shape[-2]) * 0.1, missing="mask_values", **ids)


@pytest.mark.parametrize(
    "dims", [("trial", "unit"), ("trial", "time", "unit"), ("time", "unit")], ids="-".join
)
@pytest.mark.parametrize(("verb", "name"), PLACES)
@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_every_verb_refuses_them_or_says_what_it_takes(verb, name, dims):
    if verb == "reduce" or (verb == "dimensionality" and len(dims) == 2):  # takes what they leave
        return
    data = masked(dims)
    before = data.copy(deep=True)
    with pytest.raises(cs.InputError) as error:
        CALLS[verb][name](data)
    assert str(error.value).startswith((f"cs.{verb}: ", "cs.compare: a['"))
    xr.testing.assert_identical(data, before)


@pytest.mark.parametrize("call", MORE.values(), ids=MORE)
def test_what_stands_beside_the_verbs_refuses_them(call):
    for dims in [("trial", "unit"), ("trial", "time", "unit")]:
        with pytest.raises(cs.InputError, match="single values that are missing"):
            call(masked(dims))


def test_a_receptive_field_of_them_is_refused():
    shown = cs.stimuli(np.random.default_rng(0).normal(size=(12, 3, 3)), ids=IDS)
    with pytest.raises(cs.InputError, match=r"cs\.receptive_field: .* single values that are missing"):
        cs.receptive_field(FLAT, shown)


def test_the_refusal_says_how_many_and_what_to_do():
    with pytest.raises(cs.InputError) as error:
        cs.rdms(FLAT)
    assert error.value.code == "masked-values"
    assert str(error.value) == (
        "cs.rdms: systems['systems'] has 6 single values that are missing, of 6 of 6 units (missing='mask_values'), "
        "which cs.reduce takes with a model of cs.models, and cs.structure; here leave out what has some, "
        "data.isel(trial=data.valid.all('unit').values) or the like for units, or fill them on purpose."
    )


# -- those that take them


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (cs.models.PCA(2), None),
        (cs.models.PCA(2), "side"),
        (cs.models.FactorAnalysis(2), None),
        (cs.models.CP(2), None),
        (cs.models.DPCA(1), "side"),
    ],
    ids=["PCA", "PCA of means", "FA", "CP", "DPCA"],
)
def test_reduce_finds_the_axes_of_the_whole_data(model, labels):
    x, holes = planted()
    few = {"labels": labels, "n_boot": 0, "n_perm": 0, "rng": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole, found = cs.reduce(made(x), model, **few), cs.reduce(made(holes), model, **few)
    planes = [np.linalg.qr(r.loadings["loading"].values[:1].T)[0] for r in (whole, found)]
    assert np.abs(planes[0].T @ planes[1]).min() > 0.99
    assert np.isfinite(found.components["held_out_total"]).all()
    assert found.latents.dims == whole.latents.dims


def test_reduce_with_surrogates_of_missing_values_tells_structure_from_none():
    x, holes = planted(share=0.2, n=40)
    found = cs.reduce(made(holes), cs.models.PCA(2), n_boot=2, n_perm=39, rng=0)
    assert found.components["p"].values[0] == 0.025
    noise = np.random.default_rng(1).normal(size=x.shape)
    noise[np.isnan(holes)] = np.nan
    assert cs.reduce(made(noise), cs.models.PCA(2), n_boot=2, n_perm=39, rng=0).n_significant == 0


def test_latents_that_a_model_cannot_tell_are_said_and_means_have_theirs():
    _, holes = planted(share=0.2)
    with pytest.warns(
        cs.ConsilienceWarning, match="DPCA reads latents out of all units.* in 9[0-9]% of the bins"
    ):
        found = cs.reduce(made(holes), cs.models.DPCA(1), labels="side", n_boot=2, n_perm=5, rng=0)
    assert np.isfinite(found.conditions["mean"]).all()
    assert np.isnan(found.latents).mean() > 0.9
    want = cs.models.DPCA(1, missing="mask").fit(holes, {"side": SIDE})
    side = found.conditions["mean"].sel(component="side 1").values
    assert np.allclose(side, want.projections_["side"][0], atol=1e-9)
    assert "decoder" in found.loadings


def test_models_without_missing_values_are_refused_and_their_means_taken():
    from sklearn.decomposition import PCA

    _, holes = planted()
    with pytest.raises(
        cs.InputError, match="trials have unequal lengths or missing values, and PCA takes none"
    ):
        cs.reduce(made(holes), PCA(2))
    with pytest.warns(cs.ConsilienceWarning, match="PCA reads latents out of all units"):
        found = cs.reduce(made(holes), PCA(2), labels="side", n_boot=2, n_perm=5, rng=0)
    assert np.isfinite(found.conditions["mean"]).all()


def test_the_model_that_is_taken_where_none_is_given_leaves_room():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 4))
    x[3, 2] = np.nan
    found = cs.reduce(cs.responses(x, stimulus=range(40), missing="mask_values"), n_boot=0, n_perm=0, rng=0)
    assert found.n_components == 3


@pytest.mark.filterwarnings("ignore:.noise-at-floor")
def test_series_with_gaps():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) + rng.normal(size=(400, 6))
    x[rng.random(x.shape) < 0.2] = np.nan
    series = cs.responses(x, dims=("time", "unit"), time=np.arange(400) * 0.1, missing="mask_values")
    found = cs.reduce(series, cs.models.FactorAnalysis(2), n_boot=2, n_perm=19, rng=0)
    assert found.components["p"].values[0] == 0.05
    assert np.isfinite(found.latents).all()
    shared = cs.dimensionality(series, measures="shared", n_perm=2, rng=0)
    assert float(shared.data["value"].squeeze()) == 2
    with pytest.raises(cs.InputError, match=r"of which only measures=\['shared'\] can be had"):
        cs.dimensionality(series, measures="svca")


def test_autocorrelation_of_what_is_there():
    rng = np.random.default_rng(0)
    x = np.zeros((4000, 3))
    for t in range(1, 4000):
        x[t] = 0.8 * x[t - 1] + rng.normal(size=3)
    whole = autocorrelation_time(x)
    holes = x.copy()
    holes[rng.random(x.shape) < 0.3] = np.nan
    assert np.allclose(autocorrelation_time(holes), whole, rtol=0.2)
    one = x.copy()
    one[7, 0] = np.nan
    assert np.allclose(autocorrelation_time(one), whole, rtol=0.02)
    assert autocorrelation_time(np.where(rng.random((50, 2)) < 0.5, np.nan, 1.0)).tolist() == [1.0, 1.0]


def test_structure_takes_the_means_of_what_is_there():
    x, holes = planted(share=0.05)
    few = {"by": "side", "n_components": 2, "n_null": 19, "rng": 0, "subtract_mean": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole, found = (cs.structure(made(v, kind="rate"), statistic="tangling", **few) for v in (x, holes))
        assert found.data["value"].item() == pytest.approx(whole.data["value"].item(), rel=0.1)
        with pytest.raises(cs.InputError, match=r"60 of 60 trials have no value|trials have no value"):
            cs.structure(made(holes, kind="rate"), rows="trials", null="trials", by="side", rng=0)
        with pytest.raises(cs.InputError, match="some conditions have no value of some units at some times"):
            cs.structure(made(holes, kind="rate"), by="stimulus", rng=0)


def test_dimensionality_takes_what_missing_values_leave():
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(8), 10)
    x = (rng.normal(size=(8, 2)) @ rng.normal(size=(2, 12)))[ids] + rng.normal(size=(80, 12))
    x = x[:, None] + 0.1 * rng.normal(size=(80, 5, 12))
    given = {"kind": "rate", "stimulus": ids, "repeat": "count", "missing": "mask_values"}
    flat = x[:, 0].copy()
    flat[3, 4] = np.nan
    with pytest.warns(
        cs.ConsilienceWarning, match=r"measures-left-out.*participation_ratio.*1 single values"
    ):
        found = cs.dimensionality(cs.responses(flat, **given), n_perm=0, rng=0)
    assert found.data["measure"].values.tolist() == ["shared"]
    for hole in (np.s_[3, 4:], np.s_[3, 4, 5]):  # a trial that ends early; a single value
        y = x.copy()
        y[hole] = np.nan
        timed = cs.responses(y, dims=("trial", "time", "unit"), time=np.arange(5.0), **given)
        with pytest.raises(
            cs.InputError, match=r"data\.where\(data\.valid\)\.mean\('time', keep_attrs=True\)"
        ):
            cs.dimensionality(timed, measures=["shared"], rng=0)
        means = timed.where(timed.valid).mean("time", keep_attrs=True)  # as the message says
        assert np.isfinite(
            cs.dimensionality(means, measures=["participation_ratio"], n_perm=0, rng=0).data["value"]
        ).all()


def test_a_short_series_keeps_what_it_allows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 2)).cumsum(axis=0) @ rng.normal(size=(2, 10)) + 2 * rng.normal(size=(90, 10))
    data = cs.responses(x, dims=("time", "unit"), time=np.arange(90.0), kind="rate")
    with pytest.warns(cs.ConsilienceWarning, match=r"measures-left-out.*svca of"):
        found = cs.dimensionality(data, n_perm=0, rng=0)
    assert found.data["measure"].values.tolist() == ["shared"]
    with pytest.raises(cs.InputError, match=r"got 90.*also measures=shared, two_nn"):
        cs.dimensionality(data, measures=["svca"], n_perm=0, rng=0)
    with pytest.raises(cs.InputError, match="too little data for svca, shared"):
        cs.dimensionality(data[:6], n_perm=0, rng=0)
