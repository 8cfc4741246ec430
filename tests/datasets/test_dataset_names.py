"""Data sets by name."""

import pytest

import consilience as cs


def test_list(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSILIENCE_DATA", str(tmp_path))
    table = cs.datasets.list()
    assert table.columns == ("name", "what", "licence", "source", "cached")
    assert table["name"] == [
        "objects92",
        "head_direction",
        "calcium",
        "grasshopper",
        "fashion_mnist",
        "mnist",
    ]
    fetched = [row != "fashion_mnist" for row in table["name"]]  # that one may be installed
    assert [cached for cached, ours in zip(table["cached"], fetched) if ours] == ["no"] * 5
    assert "objects92" in repr(table)
    assert "<td>objects92</td>" in table._repr_html_()


def test_unknown_names():
    with pytest.raises(KeyError, match=r"no data set is called 'objets92'\. Did you mean 'objects92'"):
        cs.datasets.load("objets92")
    with pytest.raises(cs.InputError, match="no data set is called None"):
        cs.datasets.load(None)
