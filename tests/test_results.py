"""Every result passes the common suite; files are refused when they are not whole."""

import dataclasses

import numpy as np
import pytest

import consilience as cs
from consilience._core._errors import Caution
from consilience._results import CLASSES, PLOTS, SECTIONS, result_hash
from consilience._results._base import resolve
from consilience.testing import check_result

NASTY = ["<script>alert(1)</script>", "=1+1", "a\x00b", "line\nbreak", "é漢🙂", "\\0", "x" * 300, "{{7*7}}"]


def make(count=8, **options):
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(12)]
    signal = rng.normal(size=(12, 5))
    a = {
        name: cs.responses(signal + i * rng.normal(size=(12, 5)), stimulus=ids)
        for i, name in enumerate(NASTY[:count])
    }
    d = [np.asarray(cs.measures.rdm(signal + rng.normal(size=(12, 5)), square=True)) for _ in range(3)]
    b = {"brain": cs.rdm_data(d, stimulus=ids, distance="correlation", subject=["p", "q", "r"])}
    base = {0: {k: v.copy(data=rng.normal(size=v.shape)) for k, v in a.items()}}
    return cs.compare(a, b, measure=["rsa", "cka"], n_boot=50, n_perm=50, rng=0, baseline=base, **options)


@pytest.fixture(scope="module")
def result():
    return make()


@pytest.mark.slow
def test_a_comparison_keeps_every_promise(result):
    check_result(result)


@pytest.mark.slow
def test_a_comparison_without_resamples_keeps_every_promise():
    x = cs.responses(np.random.default_rng(0).normal(size=(8, 5)), stimulus=list("abcdefgh"), system="V1")
    result = cs.compare(x, x, measure="cka", n_boot=0, n_perm=0, rng=0)
    assert result.draws is None
    check_result(result)


@pytest.mark.slow
def test_a_best_keeps_every_promise(result):
    check_result(result.best())


@pytest.mark.slow
def test_rdms_keep_every_promise():
    rng = np.random.default_rng(0)
    x = {k: cs.responses(rng.normal(size=(6, 9)), stimulus=list("abcdef")) for k in ("V1", "V2", "IT")}
    check_result(cs.rdms(x))


def test_names_survive_the_file(result, tmp_path):
    again = cs.load(result.save(tmp_path / "r.nc"))
    assert again.data["a"].values.tolist() == NASTY
    assert again.best()[("rsa", "brain")].layer == result.best()[("rsa", "brain")].layer


def test_a_changed_number_label_or_setting_changes_the_hash(result):
    seen = {result_hash(result)}
    data = result.data.copy(deep=True)
    data["value"].values[0, 0, 0] += 1e-15
    seen.add(result_hash(dataclasses.replace(result, data=data)))
    seen.add(result_hash(dataclasses.replace(result, data=result.data.assign_coords(b=["Brain"]))))
    seen.add(result_hash(dataclasses.replace(result, settings={**result.settings, "level": 0.9})))
    seen.add(result_hash(dataclasses.replace(result, warnings=(Caution("a", "b"),))))
    seen.add(result_hash(dataclasses.replace(result, seed="1")))
    assert len(seen) == 6


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89HDF\r\n\x1a\n", b"\x93NUMPY\x01\x00", b"\x00" * 5000]
)
def test_other_files_are_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "r.nc"
    path.write_bytes(content)
    with pytest.raises(cs.InputError, match=r"cs.load: .*r.nc is") as caught:
        cs.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path, result):
    with pytest.raises(cs.InputError, match="is not a file"):
        cs.load(tmp_path / "none.nc")
    with pytest.raises(cs.InputError, match="is a folder"):
        result.save(tmp_path)
    with pytest.raises(cs.InputError, match="does not exist; create it first"):
        result.save(tmp_path / "none" / "r.nc")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_netcdf_is_refused(tmp_path):
    import xarray as xr

    xr.Dataset({"x": ("t", np.arange(3.0))}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with pytest.raises(cs.InputError, match="not a result of this package"):
        cs.load(tmp_path / "x.nc")


@pytest.mark.parametrize("table", [PLOTS, SECTIONS], ids=["plots", "sections"])
def test_every_dotted_name_resolves(table):
    assert set(table) <= set(CLASSES)
    for name in table:
        assert callable(resolve(table, name))


def test_one_number_is_for_one_pair(result):
    with pytest.raises(cs.InputError, match="exists for one pair"):
        _ = result.value
    with pytest.raises(KeyError, match="Did you mean 'rsa'"):
        result.best()[("rsaa", "brain")]
    with pytest.raises(cs.InputError, match="nothing to choose"):
        result.best("b")


def test_columns_and_dims_are_the_documented_ones(result):
    frame = result.to_frame()
    wanted = "measure a b value value_pooled ci_low ci_high p null_mean ceiling_low ceiling_high"
    wanted += " n_stimuli n_subjects"
    assert set(wanted.split()) <= set(frame.columns)
    assert len(frame) == 2 * 8
    assert result.draws.dims == ("measure", "a", "b", "draw")
    assert set(result.data.dims) == {"measure", "a", "b"}
    assert result.baselines.sizes["seed"] == 1


def test_long_warnings_stay_on_the_screen(result):
    long = tuple(Caution(f"code-{i}", "many words " * 60 + f"end {i}", "do") for i in range(6))
    told = dataclasses.replace(result, warnings=(*long, long[0]))
    check_result(told)
    text = repr(told)
    assert "  warning code-0: many words" in text
    assert "… (+1 more)" in text
    assert "and 2 more in .warnings" in text
    short = repr(dataclasses.replace(result, warnings=(Caution("one", "a " * 80 + "end", ""),)))
    assert short.endswith("a end")
