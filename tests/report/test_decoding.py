"""The section and the figures of `Decoding`."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection

import consilience as cs
from consilience import report
from consilience.report._figures import FIGURES
from consilience.report._sentences import sentences

QUICK = {"n_boot": 100, "n_perm": 49, "n_deals": 1, "rng": 0}


def responses(classes=3, times=True, seed=0):
    rng = np.random.default_rng(seed)
    y = np.tile(np.array(["<b>car", "$face", "hand"])[:classes], 15)
    gain = np.array([0.0, 0.0, 1.0, 1.0])
    x = (
        rng.normal(size=(y.size, 4, 8))
        + gain[:, None] * rng.normal(size=(3, 8))[np.unique(y, return_inverse=True)[1]][:, None]
    )
    made = cs.responses(
        x,
        dims=("trial", "time", "unit"),
        time=np.arange(4) / 10 - 0.1,
        stimulus=y,
        repeat="count",
        object=y,
        system="I<T",
    )
    return made if times else made.mean("time", keep_attrs=True)


def series():
    rng = np.random.default_rng(1)
    heading = np.cumsum(0.3 * rng.normal(size=300)) % (2 * np.pi)
    x = np.column_stack([np.cos(heading), np.sin(heading)]) @ rng.normal(size=(2, 6)) + 0.3 * rng.normal(
        size=(300, 6)
    )
    return cs.responses(x, dims=("time", "unit"), time=np.arange(300) / 20), heading


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_sections_and_captions_say_what_is_there():
    over = cs.decode(responses(), "object", **QUICK)
    square = cs.decode(responses(), "object", generalise_time=True, **QUICK)
    once = cs.decode(responses(times=False), "object", **QUICK)
    turned = cs.decode(*series(), circular=True, **QUICK)
    speed = cs.decode(
        responses(times=False), np.random.default_rng(0).normal(size=45), n_boot=0, n_perm=0, rng=0
    )
    results = {"over": over, "square": square, "once": once, "turned": turned, "speed": speed}
    page = report.render(results, title="decoding")
    assert "<b>car" not in page
    for name, result in results.items():
        said = sentences(result)
        assert all(one.endswith(".") and "nan" not in one for one in said), said
        assert f"{name}.csv" in page
    assert "at its best time" in sentences(over)[0]
    assert "corrected over times" in sentences(over)[0]
    assert "Most often right is" in sentences(once)[1]
    assert "where chance is 1.57" in sentences(turned)[0]
    said = {name: FIGURES["Decoding"].said(result) for name, result in results.items()}
    assert "Matrix: trained at one time" in said["square"]
    assert "Confusions" in said["over"]
    assert "recall of each class with its interval" in said["once"]
    assert said["turned"].startswith("Decoded (held out) and true values over a stretch")
    assert said["speed"] == "Decoded (held out) against true values; dashed: equal."


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_figures_draw_what_is_there():
    over = cs.decode(responses(), "object", **QUICK)
    ax = over.plot()
    course, confusion = ax.child_axes
    line = next(one for one in course.lines if len(one.get_xdata()) == 4)
    np.testing.assert_array_equal(line.get_ydata(), over.data["value"].values[0])
    assert course.get_ylabel() == "balanced accuracy"
    assert confusion.get_xlabel() == "decoded"
    square = cs.decode(responses(), "object", generalise_time=True, **QUICK).plot().child_axes[1]
    np.testing.assert_array_equal(square.images[0].get_array().shape, (4, 4))
    assert any(isinstance(c, LineCollection) for c in square.collections)
    traces = cs.decode(*series(), circular=True, **QUICK).plot().child_axes[0]
    assert traces.get_yticklabels()[2].get_text() == "2π"
    many = responses(times=False)
    wide = many.assign_coords(number=("trial", np.tile(np.arange(15), 3)))
    names = cs.decode(wide, "number", cv=3, n_boot=0, n_perm=0, rng=0).plot().child_axes
    assert len(names[0].get_xticks()) == 15
    with pytest.raises(cs.InputError, match=r"plot_decoding"):
        cs.plots.plot_decoding(many)
