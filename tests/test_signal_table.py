"""The table of channels: it travels with the signal, and stands on the units of responses."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs


@pytest.fixture
def signal():
    values = np.arange(40.0).reshape(10, 4)
    columns = {"depth": [10.0, 20.0, np.nan, 40.0], "area": ["V1", "V1", "V2", "V2"]}
    return cs.Signal(
        values, np.arange(10) / 10, kind="voltage", unit="V", channels=list("abcd"), columns=columns
    )


def test_columns_stand_on_the_units_of_responses(signal):
    rec = cs.Recording("s", signals={"lfp": signal})
    for data in (
        rec.bin(0.2),
        rec.epoch(on=[0.0, 0.5], window=(0, 0.2), stimulus=["a", "b"]),
        rec.epoch(on=[0.0, 0.5], window=(0, 0.2), bin=0.1, stimulus=["a", "b"]),
    ):
        assert data["area"].dims == ("unit",)
        assert data["area"].values.tolist() == ["V1", "V1", "V2", "V2"]
        np.testing.assert_array_equal(data["depth"], [10, 20, np.nan, 40])


def test_select_keeps_values_and_columns_together(signal):
    by_mask, by_name = signal.select(signal.columns["area"] == "V2"), signal.select(["d", "a"])
    np.testing.assert_array_equal(by_mask.values, signal.values[:, 2:])
    np.testing.assert_array_equal(by_name.values, signal.values[:, [3, 0]])
    assert by_name.channels.tolist() == ["d", "a"]
    assert by_name.columns["area"].tolist() == ["V2", "V1"]
    assert by_mask.kind == "voltage"
    assert "columns depth, area" in repr(by_mask)


def test_equality_looks_at_the_table(signal):
    same = signal.select(list("abcd"))
    other = cs.Signal(signal.values, signal.time, kind="voltage", unit="V", channels=list("abcd"))
    assert same == signal
    assert other != signal


@pytest.mark.parametrize(
    ("wanted", "words"),
    [(["e"], "no channel 'e'"), ([True, False], "each of 4 channels"), ([False] * 4, "no channel is left")],
)
def test_what_cannot_be_selected(signal, wanted, words):
    with pytest.raises(cs.InputError, match=words):
        signal.select(wanted)


def test_a_table_of_another_length_is_refused(signal):
    with pytest.raises(cs.InputError, match=r"one number or text for each channel \(4\)"):
        cs.Signal(signal.values, signal.time, columns={"depth": [1.0]})
