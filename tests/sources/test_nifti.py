"""NIfTI and BIDS: values and places as they stand in the file, masks on another grid refused, runs kept apart."""

from __future__ import annotations

import gzip
import json
import struct

import numpy as np
import pytest

import consilience as cs
from consilience.sources._look import look_into
from consilience.sources._nifti_header import open_image

SHAPE, TR = (4, 5, 3), 2.0
AFFINE = np.array([[-3.0, 0, 0, 90], [0, 3.0, 0, -120], [0, 0, 3.5, -60], [0, 0, 0, 1]])


def write(
    path, values, *, affine=AFFINE, tr=TR, unit=8, slope=0.0, inter=0.0, version=1, order="<", packed=None
):
    """A NIfTI file, written from the standard."""
    kinds = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64}
    values = np.asarray(values)
    dim = [values.ndim, *values.shape, *[1] * (7 - values.ndim)]
    pixdim = [1.0, 3.0, 3.0, 3.5, tr, 0, 0, 0]
    head = bytearray(540 if version == 2 else 348)
    put = struct.pack_into
    kind = kinds[values.dtype.str[1:]]
    if version == 1:
        put(f"{order}i", head, 0, 348)
        put(f"{order}8h", head, 40, *dim)
        put(f"{order}2h", head, 70, kind, 8 * values.dtype.itemsize)
        put(f"{order}8f", head, 76, *pixdim)
        put(f"{order}3f", head, 108, 352, slope, inter)
        head[123] = unit
        put(f"{order}2h", head, 252, 0, 1)
        put(f"{order}12f", head, 280, *affine[:3].ravel())
        head[344:348] = b"n+1\0"
    else:
        put(f"{order}i8shh", head, 0, 540, b"n+2\0\r\n\x1a\n", kind, 8 * values.dtype.itemsize)
        put(f"{order}8q", head, 16, *dim)
        put(f"{order}8d", head, 104, *pixdim)
        put(f"{order}qdd", head, 168, 544, slope, inter)
        put(f"{order}2i", head, 344, 0, 1)
        put(f"{order}12d", head, 400, *affine[:3].ravel())
        put(f"{order}i", head, 500, unit)
    content = bytes(head) + b"\0" * 4 + values.astype(values.dtype.newbyteorder(order)).tobytes(order="F")
    packed = str(path).endswith(".gz") if packed is None else packed
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.fixture
def volumes():
    return np.random.default_rng(0).integers(-500, 500, size=(*SHAPE, 20)).astype("i2")


@pytest.fixture
def mask():
    out = np.zeros(SHAPE, dtype="u1")
    out[1:3, 1:4, :2] = 1
    return out


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "odd.dat"])
@pytest.mark.parametrize(("version", "order"), [(1, "<"), (1, ">"), (2, "<"), (2, ">")])
def test_values_places_and_time(tmp_path, volumes, mask, name, version, order):
    path = write(tmp_path / name, volumes, version=version, order=order, slope=0.5, inter=7.0)
    rec = cs.read(path, mask=write(tmp_path / "m.nii", mask))
    bold = rec.signals["bold"]
    index = np.argwhere(mask)
    np.testing.assert_array_equal(bold.values, (volumes[mask > 0].T * 0.5 + 7).astype(np.float32))
    np.testing.assert_allclose(bold.time, np.arange(20) * TR)
    np.testing.assert_array_equal(np.stack([bold.columns[n] for n in "ijk"], axis=1), index)
    places = (AFFINE @ np.c_[index, np.ones(len(index))].T).T[:, :3]
    np.testing.assert_allclose(np.stack([bold.columns[n] for n in "xyz"], axis=1), places)
    assert bold.channels[0] == ",".join(map(str, index[0]))
    assert bold.kind == "bold"
    assert rec.observed.total == 20 * TR


def test_without_a_mask_voxels_that_change_are_read(tmp_path, volumes):
    volumes[0] = 3
    rec = cs.read(write(tmp_path / "x.nii", volumes))
    assert rec.signals["bold"].shape == (20, 3 * 5 * 3)


def test_a_mask_on_another_grid_is_refused(tmp_path, volumes, mask):
    path = write(tmp_path / "x.nii", volumes)
    moved = AFFINE.copy()
    moved[0, 3] += 3
    with pytest.raises(cs.InputError, match=r"affines that differ \(by up to 3 mm\)") as caught:
        cs.read(path, mask=write(tmp_path / "m.nii", mask, affine=moved))
    assert caught.value.code == "grid-differs"
    with pytest.raises(cs.InputError, match=r"\(4, 5, 2\) voxels"):
        cs.read(path, mask=write(tmp_path / "m.nii", mask[..., :2]))
    with pytest.raises(cs.InputError, match="must be one volume"):
        cs.read(path, mask=path)
    with pytest.raises(cs.InputError, match="none of 0 voxels"):
        cs.read(path, mask=write(tmp_path / "m.nii", 0 * mask))


def test_planted_response_is_found_in_the_window(tmp_path, mask):
    """Volumes 2 and 3 after each onset carry the condition: their mean over (4, 8) s is the planted pattern."""
    onsets, rng = np.arange(8, 120, 16.0), np.random.default_rng(0)
    kinds = np.array(["face", "house"] * 4)[: len(onsets)]
    pattern = {"face": rng.normal(size=SHAPE), "house": rng.normal(size=SHAPE)}
    volumes = 100 + 0.001 * rng.normal(size=(*SHAPE, 64))
    for onset, kind in zip(onsets, kinds):
        at = int(onset / TR) + 2
        volumes[..., at : at + 2] += pattern[kind][..., None]
    rows = "\n".join(f"{onset}\t1.5\t{kind}\tn/a" for onset, kind in zip(onsets, kinds))
    (tmp_path / "e.tsv").write_text(f"onset\tduration\ttrial_type\tresponse_time\n{rows}\n")
    rec = cs.read(
        write(tmp_path / "x.nii.gz", volumes.astype("f4")),
        mask=write(tmp_path / "m.nii", mask),
        events=tmp_path / "e.tsv",
    )
    betas = rec.epoch(on="events", window=(4, 8), of="bold", stimulus="trial_type")
    assert betas.attrs["kind"] == "bold"
    assert betas["x"].dims == ("unit",)
    mean = cs.average(betas)
    for kind in ("face", "house"):
        got = mean.values[mean["stimulus"].values == kind][0]
        np.testing.assert_allclose(got, 100 + pattern[kind][mask > 0], atol=0.01)


def test_the_sidecar_is_believed_and_a_difference_said(tmp_path, volumes):
    path = write(tmp_path / "x_bold.nii.gz", volumes)
    (tmp_path / "x_bold.json").write_text(json.dumps({"RepetitionTime": 1.5}))
    with pytest.warns(cs.ConsilienceWarning, match="header says 2 s") as seen:
        rec = cs.read(path)
    assert seen[0].message.code == "tr-differs"
    assert rec.signals["bold"].time[1] == 1.5
    assert cs.read(path, tr=2.2).signals["bold"].time[1] == 2.2
    (tmp_path / "x_bold.json").write_text('{"RepetitionTime": ')
    with pytest.raises(cs.InputError, match=r"x_bold\.json beside the data cannot be read"):
        cs.read(path)


@pytest.mark.parametrize(
    ("tr", "unit", "seconds"), [(2000, 16, 2.0), (1.25, 8, 1.25), (2e6, 24, 2.0), (2.0, 0, 2.0)]
)
def test_units_of_time(tmp_path, volumes, tr, unit, seconds):
    rec = cs.read(write(tmp_path / "x.nii", volumes, tr=tr, unit=unit))
    assert rec.signals["bold"].time[1] == pytest.approx(seconds)


@pytest.mark.parametrize("tr", [0.0, np.nan, 2000.0, -1.0])
def test_a_header_without_a_usable_repetition_time(tmp_path, volumes, tr):
    with pytest.raises(cs.InputError, match="give tr=") as caught:
        cs.read(write(tmp_path / "x.nii", volumes, tr=tr))
    assert caught.value.code == "rate-needed"


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.8, 0.99])
def test_truncated_files(tmp_path, volumes, name, share):
    path = write(tmp_path / name, volumes)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(cs.InputError, match=name) as caught:
        cs.read(path, source="nifti")
    assert "\n" not in str(caught.value)


def test_flipped_bytes_of_the_header(tmp_path, volumes):
    path, rng, said = write(tmp_path / "x.nii", volumes), np.random.default_rng(0), []
    content = path.read_bytes()
    for _ in range(300):
        copy = bytearray(content)
        copy[int(rng.integers(348))] ^= int(rng.integers(1, 256))
        path.write_bytes(copy)
        try:
            cs.read(path, source="nifti", tr=2.0)
        except cs.InputError as error:
            said.append(str(error))
    assert said
    assert not any("\n" in text for text in said)


def test_one_volume_is_no_recording(tmp_path, mask):
    with pytest.raises(cs.InputError, match="volumes over time"):
        cs.read(write(tmp_path / "m.nii", mask))


def test_nibabel_reads_the_same(tmp_path, volumes):
    """The affine of each method, the scaling and the repetition time, against nibabel."""
    nibabel = pytest.importorskip("nibabel")
    rng = np.random.default_rng(0)
    for codes in [(0, 0), (1, 0), (0, 1), (1, 1)]:
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        affine = np.eye(4)
        affine[:3] = np.c_[turn * [2.0, 2.5, 3.0], rng.normal(size=3)]
        for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
            image = kind(volumes, affine)
            image.set_sform(affine if codes[1] else None, codes[1])
            image.set_qform(affine if codes[0] else None, codes[0])
            image.header.set_zooms((*image.header.get_zooms()[:3], 1.7))
            image.header.set_xyzt_units("mm", "sec")
            nibabel.save(image, tmp_path / "y.nii.gz")
            theirs, ours = nibabel.load(tmp_path / "y.nii.gz"), open_image(tmp_path / "y.nii.gz", who="test")
            np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-4)
            assert ours.step == pytest.approx(1.7)
            np.testing.assert_allclose(
                ours.read(who="test") * ours.slope + ours.inter, np.asarray(theirs.dataobj), rtol=1e-6
            )


# -- BIDS


@pytest.fixture
def folder(tmp_path, mask):
    root = tmp_path / "study"
    rng = np.random.default_rng(1)
    for sub in ("01", "02"):
        func = root / f"sub-{sub}" / "func"
        func.mkdir(parents=True)
        for run in (1, 2, 10):
            stem = f"sub-{sub}_task-faces_run-{run}"
            write(func / f"{stem}_bold.nii.gz", (100 * run + rng.normal(size=(*SHAPE, 10))).astype("f4"))
            extra = "\tcorrect" if run == 2 else ""
            (func / f"{stem}_events.tsv").write_text(
                f"onset\tduration\ttrial_type{extra}\n2\t1\tface{extra and chr(9) + '1'}\n8\t1\thouse"
                f"{extra and chr(9) + '0'}\n"
            )
    (root / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    return root


def test_runs_follow_each_other_and_stay_apart(folder):
    rec = cs.read(folder, subject="01")
    assert rec.intervals["runs"].columns["run"].tolist() == ["1", "2", "10"]  # by number
    assert rec.intervals["runs"].start.tolist() == [0, 80, 160]
    bold = rec.signals["bold"]
    assert bold.shape == (30, 60)
    np.testing.assert_allclose(bold.values.reshape(3, 10, 60).mean(axis=(1, 2)), [100, 200, 1000], atol=0.5)
    events = rec.intervals["events"]
    np.testing.assert_allclose(events.start, [2, 8, 82, 88, 162, 168])
    assert events.columns["run"].tolist() == ["1", "1", "2", "2", "10", "10"]
    assert set(events.columns) == {"trial_type", "run"}  # the columns of every run
    assert rec.subject == "01"
    data = rec.epoch(on="events", window=(2, 6), of="bold", stimulus="trial_type")
    np.testing.assert_allclose(data.values.mean(axis=1), np.repeat([100, 200, 1000], 2), atol=1)
    with pytest.raises(cs.InputError, match="lie outside what was recorded"):
        rec.epoch(on="events", window=(2, 20), of="bold", stimulus="trial_type")  # would reach beyond the run
    assert rec.bin(TR, of="bold").sizes["time"] == 30


def test_choices_are_asked_for(folder):
    with pytest.raises(cs.InputError, match="give subject=: '01', '02'"):
        cs.read(folder)
    with pytest.raises(cs.InputError, match="no subject '03'"):
        cs.read(folder, subject="03")
    assert cs.read(folder, subject="sub-02", run="2").signals["bold"].shape == (10, 60)
    assert cs.read(folder / "sub-02", run="2").subject == "02"


def test_the_brain_masks_of_derivatives_are_used(folder, mask):
    func = folder / "sub-01" / "func"
    for file in func.glob("*_bold.nii.gz"):
        write(func / file.name.replace("_bold", "_desc-brain_mask"), mask)
    rec = cs.read(folder, subject="01")
    assert rec.signals["bold"].shape == (30, int(mask.sum()))


def test_runs_on_other_grids_are_refused(folder):
    moved = AFFINE.copy()
    moved[1, 3] += 1
    write(
        folder / "sub-01" / "func" / "sub-01_task-faces_run-2_bold.nii.gz",
        np.random.default_rng(0).random((*SHAPE, 10)).astype("f4"),
        affine=moved,
    )
    with pytest.raises(cs.InputError, match="affines that differ"):
        cs.read(folder, subject="01")


def test_events_of_another_folder_and_missing_ones(folder, tmp_path):
    func = folder / "sub-01" / "func"
    away = tmp_path / "raw" / "sub-01" / "func"
    away.mkdir(parents=True)
    for file in func.glob("*_events.tsv"):
        file.rename(away / file.name)
    assert "events" not in cs.read(folder, subject="01").intervals
    assert len(cs.read(folder, subject="01", events=tmp_path / "raw").intervals["events"]) == 6
    next(away.glob("*run-2_events*")).unlink()
    with pytest.warns(cs.ConsilienceWarning, match="1 of 3 runs have no events"):
        cs.read(folder, subject="01", events=tmp_path / "raw")


def test_names_with_a_pattern_in_them(folder):
    """A task with other runs is another choice."""
    func = folder / "sub-01" / "func"
    other = next(func.glob("*run-1_bold*"))
    (func / other.name.replace("faces", "rest")).write_bytes(other.read_bytes())
    with pytest.raises(cs.InputError, match="give task=: 'faces', 'rest'"):
        cs.read(folder, subject="01")
    assert "events" not in cs.read(folder, subject="01", task="rest").intervals


def test_more_voxels_than_volumes_are_not_taken_for_transposed(tmp_path, volumes):
    write(tmp_path / "b.nii.gz", volumes[..., :10])
    _, findings = cs.sources.look_into(tmp_path / "b.nii.gz")
    assert "transposed" not in {entry.code for entry in findings}


def test_estimates_of_trials(tmp_path, volumes, mask):
    """Volumes that are betas become responses (trial, voxel) with places; no time between volumes is needed."""
    path, inside = write(tmp_path / "beta.nii", volumes, tr=0.0, unit=0), write(tmp_path / "m.nii", mask)
    ids = ["face", "house"] * 10
    run = [1] * 10 + [2] * 10
    data = cs.read(path, mask=inside, ids=ids, repeat="count", labels={"run": run}, name="FFA")
    assert data.dims == ("trial", "unit")
    np.testing.assert_array_equal(data.values, volumes[mask > 0].T)
    index = np.stack([data[name].values for name in "ijk"], axis=1)
    np.testing.assert_allclose(data["x"].values, index @ AFFINE[0, :3] + AFFINE[0, 3])
    assert (data.attrs["kind"], data.attrs["system"]) == ("bold", "FFA")
    assert data["stimulus"].values.tolist() == ids
    assert data["run"].values.tolist() == run
    with pytest.raises(cs.InputError, match="20 volumes, and there are 2 ids"):
        cs.read(path, ids=["a", "b"])
    with pytest.raises(cs.InputError, match="come more than once"):
        cs.read(path, ids=ids)
    with pytest.raises(cs.InputError, match="give ids="):
        cs.read(path, kind="bold")
    with pytest.raises(cs.InputError, match="belong to a time series"):
        cs.read(path, ids=ids, tr=2.0)


def test_masks_that_are_arrays_and_volumes_that_are_lost(tmp_path, volumes, mask):
    values, ids = volumes.astype("f4"), list(range(20))
    path = write(tmp_path / "beta.nii", values)
    for options in ({}, {"ids": ids}):
        with pytest.raises(
            cs.InputError, match=r"mask must be the path .*got ndarray of shape \(4, 5, 3\)"
        ) as caught:
            cs.read(path, mask=mask, **options)
        assert caught.value.code == "bad-mask"
    values[..., 7] = np.nan
    write(path, values)
    with pytest.raises(
        cs.InputError, match=r"1 of 20 volumes .*\(volume 7, counted from 0.*leave the entry out"
    ) as caught:
        cs.read(path, ids=ids)
    assert caught.value.code == "nan-values"


def test_inspect_points_to_ids(tmp_path, volumes):
    path = write(tmp_path / "beta.nii", volumes)
    _, findings = look_into(path)
    assert "series-or-maps" in [entry.code for entry in findings]
    facts, findings = look_into(path, ids=list(range(20)))
    assert (facts[1][0], facts[1][1].split(";")[0]) == ("responses", "trial 20, unit 60")
    assert findings == []
