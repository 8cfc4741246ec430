"""Pictures of reductions: what is drawn, on the axis that was given, and what is refused."""

from __future__ import annotations

import dataclasses

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import consilience as cs

matplotlib.use("Agg")


def trials(n=6, p=9):
    rng = np.random.default_rng(0)
    stimulus, choice = np.tile([0.1, 0.5, 0.9], 2 * n), np.tile(np.repeat(["left", "right"], 3), n)
    t = np.linspace(-0.1, 0.3, 8)
    a = np.linalg.qr(rng.normal(size=(p, 3)))[0].T
    x = (
        3 * np.sin(8 * t)[None, :, None] * a[0]
        + 4 * (stimulus - 0.5)[:, None, None] * t[None, :, None] * a[1]
    )
    x = x + np.where(choice == "left", -2, 2)[:, None, None] * t[None, :, None] * a[2]
    x = x + 0.1 * rng.normal(size=(len(stimulus), 8, p))
    data = cs.responses(
        x, dims=("trial", "time", "unit"), time=t, stimulus=[f"s{i}" for i in range(len(x))], contrast=stimulus,
        choice=choice, system="PFC",
    )  # fmt: skip
    return data.assign_coords(area=("unit", ["A", "B", "C"] * (p // 3)))


@pytest.fixture(scope="module")
def found():
    return cs.reduce(trials(), cs.models.PCA(4), labels=["contrast", "choice"], n_boot=5, n_perm=39, rng=0)


@pytest.fixture(scope="module")
def demixed():
    model = cs.models.DPCA(1, regularisation=0.1)
    return cs.reduce(trials(), model, labels=["contrast", "choice"], n_boot=0, n_perm=0, rng=0)


def drawn(ax):
    figure = ax.figure
    figure.canvas.draw()
    return figure


def test_trajectories_start_end_and_take_the_given_axis(found):
    ax = Figure().add_subplot()
    assert cs.plots.plot_trajectories(found, ax, color="choice", times=[0.1]) is ax
    lines = [line for line in ax.lines if len(line.get_xdata()) == 8]
    assert len(lines) == 6
    np.testing.assert_allclose(lines[0].get_xdata(), found.conditions["mean"][0, :, 0])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["left", "right"]
    assert ax.get_xlabel().startswith("PC1 (")
    drawn(ax)


def test_three_dimensions_need_an_axis_that_has_them(found):
    ax = cs.plots.plot_trajectories(found, components=["PC1", "PC2", 2], color="contrast")
    assert hasattr(ax, "get_zlim")
    drawn(ax)
    with pytest.raises(cs.InputError, match="projection='3d'"):
        cs.plots.plot_trajectories(found, Figure().add_subplot(), components=[0, 1, 2])
    with pytest.raises(cs.InputError, match="give 2 or 3 components"):
        cs.plots.plot_trajectories(found, components=[0])
    with pytest.raises(cs.InputError, match="components are 0 to 3"):
        cs.plots.plot_trajectories(found, components=[0, 4])


def test_explained_variance_with_null_and_stars(found):
    ax = cs.plots.plot_explained(found)
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights, 100 * found.components["explained"])
    assert sum(t.get_text() == "*" for t in ax.texts) == found.n_significant
    words = [t.get_text() for t in ax.get_legend().get_texts()]
    assert "held out" in words
    assert any(w.startswith("null") for w in words)
    drawn(ax)


def test_demixed_bars_are_in_parts(demixed):
    ax = cs.plots.plot_explained(demixed)
    by = 100 * demixed.marginalizations["explained_by"].values
    np.testing.assert_allclose(sorted(b.get_height() for b in ax.patches), sorted(np.maximum(by, 0).ravel()))
    assert cs.plots.plot_trajectories(demixed).get_ylabel().split(" ")[0] in ("contrast", "choice")
    drawn(cs.plots.plot_component_courses(demixed))


def test_loadings_are_sorted_within_areas(found):
    ax = cs.plots.plot_loadings(found, components=[0], by="area")
    panel = next(a for a in ax.figure.axes if a.get_xlabel() == "loading")
    x = panel.collections[-1].get_offsets()[:, 0]
    value, area = found.loadings["loading"].values[0], found.loadings["area"].values
    np.testing.assert_allclose(x, np.concatenate([np.sort(value[area == k]) for k in "ABC"]))
    drawn(ax)
    with pytest.raises(cs.InputError, match="color must be one of"):
        cs.plots.plot_loadings(found, by="layer")


def test_latents_by_an_angle_go_round(found):
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    ax = cs.plots.plot_latents(found, color=angle, period=2 * np.pi)
    colors = ax.collections[0].get_facecolors()
    assert np.abs(colors[0, :3] - colors[-1, :3]).max() < 0.25
    assert np.abs(colors[0, :3] - colors[18, :3]).max() > 0.3
    drawn(ax)
    with pytest.raises(cs.InputError, match="36 values"):
        cs.plots.plot_latents(found, color=angle[:5])


def test_default_figure_and_kinds(found, demixed):
    for result in (found, demixed):
        ax = Figure().add_subplot()
        assert result.plot(ax) is ax
        drawn(ax)
    for kind in ("explained", "trajectories", "courses", "loadings", "latents"):
        drawn(found.plot(kind=kind))
    for kind, message in (("factors", "has no factors"), ("neighbours", "no embedding")):
        with pytest.raises(cs.InputError, match=message):
            found.plot(kind=kind)
    with pytest.raises(cs.InputError, match="kind must be one of"):
        found.plot(kind="bars")


def test_factors_of_a_tensor(found):
    import dataclasses

    z = found.latents
    rng = np.random.default_rng(0)
    names = z["component"].values
    table = xr.Dataset(
        {
            f"{d}_factor": ((d, "component"), rng.normal(size=(n, 4)))
            for d, n in (("trial", 36), ("time", 8), ("unit", 9))
        },
        coords={"component": names, "time": z["time"].values},
    )
    made = dataclasses.replace(found, factors=table)
    ax = cs.plots.plot_tensor_factors(made, components=[0, 1], color="choice")
    assert len(ax.figure.axes) == 8
    drawn(ax)


def test_what_has_no_time_has_no_trajectory():
    flat = cs.reduce(
        trials().mean("time", keep_attrs=True), cs.models.PCA(2), cv=0, n_boot=0, n_perm=0, rng=0
    )
    with pytest.raises(cs.InputError, match="no time; draw them with plot_latents"):
        cs.plots.plot_trajectories(flat)
    with pytest.raises(cs.InputError, match="no time; draw them with plot_latents"):
        cs.plots.plot_component_courses(flat)
    drawn(flat.plot())
    with pytest.raises(cs.InputError, match="must be a Reduction"):
        cs.plots.plot_reduction("x")


def test_names_are_in_natural_order():
    from consilience.plots._condition_colors import colors_of

    angles = np.array(["135 deg", "45 deg", "0 deg", "-45 deg"])
    found = colors_of({"angle": angles}, 4, by=None, period=None, who="test")
    assert [name for name, _ in found.names] == ["-45 deg", "0 deg", "45 deg", "135 deg"]
    np.testing.assert_allclose(found.each[2], found.names[1][1])


def test_all_components_are_drawn_and_negative_bars_are_whole(found):
    c = found.components.copy(deep=True)
    c["explained"][1] = -0.4
    c["ci_low"][1], c["ci_high"][1] = -5.0, 0.1
    ax = cs.plots.plot_explained(dataclasses.replace(found, components=c))
    assert ax.get_ylim()[0] < -40
    assert ax.get_ylim()[0] > -200  # the interval is cut, and a triangle says so
    assert any(line.get_marker() == "v" for line in ax.lines)
    drawn(ax)


def test_many_systems_are_curves_none_left_out():
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(20)]
    layers = {
        f"layer {k}": cs.responses(rng.normal(size=(20, 6)) * (1 + np.arange(6)), stimulus=ids)
        for k in range(10)
    }
    found = cs.dimensionality(layers, measures=["two_nn", "effective_rank"], n_perm=3, rng=0)
    ax = found.plot()
    drawn(ax)
    panels = [a for a in ax.figure.axes if a.get_ylabel() == "dimensions"]
    assert len(panels) == 2
    curve = next(line for line in panels[0].lines if len(line.get_xdata()) == 10)
    np.testing.assert_allclose(curve.get_ydata(), found.data["value"].sel(measure="two_nn"))


def test_courses_of_demixed_components_hold_every_marginalization(demixed):
    ax = cs.plots.plot_component_courses(demixed)
    titles = {a.get_title(loc="left").split(" ")[0] for a in ax.figure.axes}
    assert {"contrast", "choice", "time"} <= titles
