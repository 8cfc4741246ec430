"""Responses that were saved and read again still say how they were made, and what was said then."""

import numpy as np

import consilience as cs


def test_what_was_said_and_chosen_stays_with_saved_responses(tmp_path):
    rng = np.random.default_rng(0)
    rec = cs.Recording(
        name="V1",
        spikes=[np.sort(rng.uniform(0, 60, 600)) for _ in range(4)],
        observed=cs.Intervals([0], [60]),
    )
    trials = rec.epoch(on=np.arange(1.0, 59, 2), window=(0, 1), bin=0.1, stimulus=np.arange(29))
    said = [cs._core._errors.Caution("bad-spans", "said before", "look")]
    trials.attrs["consilience_warnings"] = cs._core._errors.cautions_to_json(said)
    trials.attrs["other"] = "of no meaning here"
    trials.to_netcdf(tmp_path / "trials.nc", engine="h5netcdf")
    back = cs.read(tmp_path / "trials.nc")
    for name in ("bin", "reduce", "time_units", "recording", "kind", "system"):
        assert back.attrs[name] == trials.attrs[name]
    assert "other" not in back.attrs
    assert [c.code for c in cs._responses.recorded_cautions(back)] == ["bad-spans"]
    trials.attrs["consilience_warnings"] = "of another program"
    trials.to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    assert "consilience_warnings" not in cs.read(tmp_path / "other.nc").attrs
