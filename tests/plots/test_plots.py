"""Plots: what is drawn, in the data's order, without warnings, on the axis that was given."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
import synthetic_results as made
from matplotlib.cbook import is_scalar_or_string
from matplotlib.text import Text

import consilience as cs
from consilience import plots
from consilience._core._errors import InputError, UnknownNameError
from consilience._results import PLOTS, resolve
from consilience.plots._labels import label, number, probability, shortened, told_apart, visible
from consilience.plots._rdms import ranked
from consilience.plots._style import (
    BAND,
    FAINT,
    GRID,
    INK,
    MUTED,
    PALETTE,
    PAPER,
    drawing_svg,
    figure,
    ink_on,
    style,
)
from consilience.plots._thumbnails import thumbnails

LAYERED = made.comparison()
BARE = made.comparison(bare=True, seeds=0)
DOTS = made.comparison(a=["effnet"])
MAPPED = made.rdms()
PICTURES = made.stimuli()

CALLS = {
    "comparison": lambda ax: plots.plot_comparison(LAYERED, ax),
    "profile": lambda ax: plots.plot_profile(LAYERED, ax, measure="cka", b="human_IT"),
    "profile, bare": lambda ax: plots.plot_profile(BARE, ax),
    "map": lambda ax: plots.plot_map(LAYERED, ax),
    "map, bare": lambda ax: plots.plot_map(BARE, ax),
    "best": lambda ax: plots.plot_best(LAYERED.best(), ax),
    "best, bare": lambda ax: plots.plot_best(BARE.best(), ax),
    "dots": lambda ax: plots.plot_dots(DOTS, ax),
    "dots, bare": lambda ax: plots.plot_dots(made.comparison(a=["x"], bare=True, seeds=0), ax),
    "rdms": lambda ax: plots.plot_rdms(MAPPED, ax, systems=["human_IT"], stimuli=PICTURES),
    "rdms, NaN": lambda ax: plots.plot_rdms(made.rdms(n=12, nan=True), ax),
    "stimulus map": lambda ax: plots.plot_stimulus_map(made.rdms(n=12), ax, stimuli=PICTURES),
    "stimulus map, dots": lambda ax: plots.plot_stimulus_map(made.rdms(n=20), ax),
    "systems map": lambda ax: plots.plot_systems_map(MAPPED, ax),
}


def png(ax) -> bytes:
    stream = io.BytesIO()
    ax.figure.savefig(stream, format="png", dpi=50)
    return stream.getvalue()


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("name", CALLS)
def test_draws_on_the_axis_it_was_given_and_leaves_settings_alone(name):
    before = dict(mpl.rcParams)
    ax = figure(5, 4).add_subplot()
    assert CALLS[name](ax) is ax
    assert len(png(ax)) > 1000
    assert dict(mpl.rcParams) == before
    assert not drawing_svg()


def test_makes_an_axis_when_none_is_given():
    for result in (LAYERED, LAYERED.best(), MAPPED):
        assert resolve(PLOTS, type(result).__name__)(result, ax=None).figure.get_size_inches()[0] > 2
    assert LAYERED.plot(measure="cka").get_ylabel() == "cka"


def panels(ax):
    return [other for other in ax.figure.axes if other is not ax]


@pytest.mark.parametrize("result", [LAYERED, DOTS], ids=["profile", "dots"])
def test_several_measures_are_all_drawn(result):
    frame = result.plot()
    assert not frame.axison
    axes = panels(frame)
    assert [ax.get_ylabel() or ax.get_xlabel() for ax in axes] == ["rsa", "cka"]
    assert [ax.get_legend() is not None for ax in axes] == [True, False]
    assert len(png(frame)) > 1000
    assert not panels(result.plot(measure="rsa"))  # one measure is drawn on the axis itself
    wide = made.comparison(measures=[f"m{i}" for i in range(9)]).plot()
    assert len(panels(wide)) == 6
    assert "3 more not drawn: pass measure=" in texts(wide)


def test_several_measures_share_the_room_of_an_axis_among_others():
    made_by_hand = mpl.figure.Figure(figsize=(9, 6))
    left, right = made_by_hand.subplots(1, 2)
    LAYERED.plot(ax=right)
    boxes = [ax.get_position() for ax in made_by_hand.axes[2:]]
    assert len(boxes) == 2
    assert all(box.x0 >= right.get_position().x0 - 1e-9 for box in boxes)
    assert left.axison
    loose = made_by_hand.add_axes((0, 0, 1, 1))
    with pytest.raises(InputError, match=r"2 measures need an axis of plt\.subplots .* pass measure="):
        LAYERED.plot(ax=loose)
    assert LAYERED.plot(ax=loose, measure="cka") is loose
    with pytest.raises(InputError, match="ax must be a matplotlib axis, got 3"):
        LAYERED.plot(ax=3)


def test_importing_plots_does_not_load_matplotlib():
    heavy = "'matplotlib', 'scipy.stats', 'jinja2'"
    code = f"import sys, consilience.plots; print([m for m in ({heavy}) if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]", "import it inside the function that draws"


def test_layers_stand_in_the_order_of_the_data():
    layers = ["z", "conv10", "conv2", "a"]
    ax = plots.plot_profile(made.comparison(a=layers), figure(5, 4).add_subplot())
    assert [tick.get_text() for tick in ax.get_xticklabels()] == layers
    ax = plots.plot_map(made.comparison(a=layers), figure(5, 4).add_subplot())
    assert [tick.get_text() for tick in ax.get_xticklabels()] == layers


def test_profile_draws_values_bands_ceiling_null_and_untrained():
    ax = plots.plot_profile(LAYERED, figure(6, 4).add_subplot(), b="monkey_IT")
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    for words in ("noise ceiling", "null", "untrained (3 seeds)", "95 % interval, stimuli", "monkey_IT"):
        assert words in legend
    curves = [line.get_ydata() for line in ax.lines]
    wanted = LAYERED.data["value"].sel(measure="rsa", b="monkey_IT").values
    assert any(len(c) == len(wanted) and np.array_equal(c, wanted) for c in curves)
    assert LAYERED.best_a["chosen"].sel(measure="rsa", b="monkey_IT").item() in texts(ax)


def test_profile_without_intervals_draws_none():
    ax = plots.plot_profile(BARE, figure(6, 4).add_subplot())
    assert not ax.collections
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["monkey_IT", "human_IT"]


def test_profile_says_what_it_leaves_out():
    ax = plots.plot_profile(
        made.comparison(b=[f"b{i}" for i in range(11)], seeds=0), figure(6, 4).add_subplot()
    )
    assert "3 more not drawn" in ax.get_title(loc="left")


def test_map_has_a_text_per_cell_and_a_ceiling_column():
    ax = plots.plot_map(LAYERED, figure(9, 3).add_subplot())
    said = texts(ax)
    assert "noise ceiling" in said
    assert "ceiling" not in texts(plots.plot_map(BARE, figure(9, 3).add_subplot()))
    value = float(LAYERED.data["value"].sel(measure="rsa", a="_blocks.12", b="monkey_IT"))
    assert f"{value:.2f}".replace("0.", ".") in said


def test_map_has_a_scale_of_its_colours():
    ax = plots.plot_map(LAYERED, figure(8, 3).add_subplot())
    (bar,) = ax.child_axes
    low, high = bar.get_xlim()
    value = LAYERED.data.sel(measure="rsa")
    assert low == pytest.approx(0)
    assert high == pytest.approx(float(max(value["value"].max(), value["ceiling_high"].max())))
    assert "value (darker = more alike)" in texts(ax)
    assert "noise ceiling" in texts(ax)


def test_rdms_name_their_stimuli_in_the_order_of_the_data():
    ax = plots.plot_rdms(made.rdms(n=12), figure(8, 8).add_subplot())
    ids = [str(key) for key in made.rdms(n=12).rdms["stimulus"].values.tolist()]
    assert [tick.get_text() for tick in ax.child_axes[0].get_yticklabels()] == ids
    many = plots.plot_rdms(made.rdms(n=200), figure(4, 4).add_subplot())
    assert 1 < len(many.child_axes[0].get_yticklabels()) <= 40


def test_map_of_many_layers_is_one_picture():
    ax = plots.plot_map(
        made.comparison(a=[f"l{i}" for i in range(1000)], seeds=0), figure(9, 3).add_subplot()
    )
    assert len(ax.images) == 1
    assert len(ax.get_xticklabels()) <= 40


def test_dots_are_chosen_for_one_system_and_include_zero():
    ax = plots.plot_comparison(DOTS, figure(6, 3).add_subplot(), measure="rsa")
    assert ax.get_xlim()[0] <= 0
    assert [tick.get_text() for tick in ax.get_yticklabels()] == made.BRAINS


def test_best_names_the_layer_and_the_smallest_difference():
    ax = plots.plot_best(LAYERED.best()["rsa", "monkey_IT"], figure(7, 2).add_subplot())
    gap = float(LAYERED.best_a["difference"].sel(measure="rsa", b="monkey_IT").min())
    assert any(f"+{gap:.2f} [" in words and "_blocks.12" in words for words in texts(ax))


@pytest.mark.parametrize("call", [plots.plot_profile, plots.plot_map, plots.plot_dots, plots.plot_comparison])
def test_an_unknown_measure_is_refused_with_the_nearest(call):
    with pytest.raises(UnknownNameError, match="Did you mean 'rsa'"):
        call(LAYERED, figure(3, 3).add_subplot(), measure="rsaa")


def test_an_unknown_system_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'human_IT'"):
        plots.plot_profile(LAYERED, b="human_it")
    with pytest.raises(UnknownNameError, match="system must be one of"):
        plots.plot_rdms(MAPPED, systems=["V1"])


def test_another_kind_of_result_is_refused():
    with pytest.raises(InputError, match="plot_map: the first argument must be a Comparison, got RDMs"):
        plots.plot_map(MAPPED)
    with pytest.raises(InputError, match="one system has no map"):
        plots.plot_systems_map(made.rdms(systems=["one"], n=6))


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_hostile_names_draw_without_warnings(kind):
    hostile = made.comparison(
        a=made.HOSTILE, b=made.HOSTILE[:2], measures=(made.HOSTILE[11], made.HOSTILE[0])
    )
    cloud = made.rdms(systems=made.HOSTILE[:5], n=len(made.HOSTILE), ids=made.HOSTILE)
    for draw in (
        lambda ax: plots.plot_profile(hostile, ax),
        lambda ax: plots.plot_map(hostile, ax),
        lambda ax: plots.plot_best(hostile.best(), ax),
        lambda ax: plots.plot_stimulus_map(cloud, ax, system=made.HOSTILE[1]),
        lambda ax: plots.plot_systems_map(cloud, ax),
        lambda ax: plots.plot_rdms(cloud, ax),
    ):
        ax = draw(figure(6, 5).add_subplot())
        stream = io.BytesIO()
        ax.figure.savefig(stream, format=kind, dpi=40)
        assert b"\0byte" not in stream.getvalue()


def test_labels_cannot_open_tex_or_carry_control_characters():
    assert Text(0, 0, label("$\\frac{1}{2}$"))._preprocess_math(label("$x$")) == ("$x$", False)
    assert label("a\0b\x1b[31m") == "a\\x00b\\x1b[31m"
    assert len(label("x" * 10_000)) == 28
    assert label("🧠") == "□"
    assert visible("\u202eevil") == "\\u202eevil"
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert is_scalar_or_string(label(7))


def test_long_names_are_told_apart():
    long = "a photograph of a natural scene, number {}, that was taken at night"
    assert told_apart([long.format(k) for k in (1, 2, 13)], 12) == ["…1…", "…2…", "…13…"]
    assert told_apart(["conv1", "conv2"], 12) == ["conv1", "conv2"]
    assert told_apart(["x" * 40 + "a" + "y" * 40, "x" * 40 + "y" * 40], 12) == ["…a…", "…"]
    assert told_apart(["same", "same"], 3) == [label("same", 3)] * 2


def test_numbers_and_probabilities_in_words():
    assert (number(-0.001), number(0.42), number(1234567.0)) == ("0.00", "0.42", "1.23e+06")
    assert probability(float("nan")) == ""
    assert probability(0.4567) == "p = 0.46"


def test_ranks_are_percentiles_of_the_pairs():
    square = np.array([[0, 1, 5.0], [1, 0, 3], [5, 3, 0]])
    assert np.array_equal(ranked(square)[np.triu_indices(3, 1)], [0, 100, 50])
    square[0, 1] = np.nan
    assert np.isnan(ranked(square)[1, 0])
    assert np.isnan(np.diag(ranked(square))).all()


def test_a_large_rdm_is_drawn_in_blocks():
    ax = plots.plot_rdms(made.rdms(systems=["a"], n=600), figure(3, 3).add_subplot())
    (picture,) = [image for inset in ax.child_axes for image in inset.images][:1]
    assert max(picture.get_array().shape) <= 256


def test_thumbnails_from_arrays_mappings_grey_and_transparent_pictures():
    made_of = {
        "grey": np.zeros((9, 5), np.uint8),
        "one": np.full((4, 4, 1), 7, np.uint8),
        "clear": np.zeros((6, 6, 4), np.uint8),
    }
    small = thumbnails(made_of, ["clear", "grey", "none", "one"], size=8)
    assert list(small) == ["clear", "grey", "one"]
    assert {p.shape for p in small.values()} == {(8, 8, 3)}
    assert small["clear"].min() == 255
    assert small["one"].max() == 7
    assert list(thumbnails(PICTURES, ["tool_91", "no such"], size=8)) == ["tool_91"]


def test_stimuli_that_are_no_pictures_give_none_and_wrong_ones_are_refused():
    assert thumbnails(None, ["a"]) == {}
    assert thumbnails(PICTURES.astype(float), ["tool_91"]) == {}
    with pytest.raises(InputError, match="'stimulus' as their first dim"):
        thumbnails(PICTURES.transpose("y", "stimulus", "x", "channel"), ["tool_91"])
    with pytest.raises(InputError, match="must be uint8"):
        thumbnails({"a": np.zeros((3, 3))}, ["a"])


def test_the_colours_that_the_report_exchanges_differ_from_each_other():
    tokens = [INK, MUTED, GRID, PAPER, BAND, FAINT, *PALETTE]
    assert len(set(tokens)) == len(tokens)
    assert (ink_on((1, 1, 1)), ink_on((0, 0, 0.4))) == ("#111418", "#ffffff")


def test_the_look_ends_with_the_call_even_when_drawing_fails():
    before = mpl.rcParams["font.size"]
    with pytest.raises(ZeroDivisionError), style(svg=True):
        raise ZeroDivisionError
    assert mpl.rcParams["font.size"] == before
    assert not drawing_svg()


def _layers(rng, count):
    signal = rng.normal(size=(30, 4))
    return {
        f"layer{k}": cs.responses(
            signal @ rng.normal(size=(4, 6)) + (k + 1) * rng.normal(size=(30, 6)), stimulus=range(30)
        )
        for k in range(count)
    }


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_what_has_several_measures_or_targets_shows_them_all():
    rng = np.random.default_rng(0)
    a, b = _layers(rng, 3), {"V1": _layers(rng, 1)["layer0"], "IT": _layers(rng, 1)["layer0"]}
    found = cs.compare(a, b, measure=["cka", "rsa", "mutual_knn"], n_boot=20, n_perm=20, rng=0)
    said = [ax.get_xlabel() for ax in found.contrasts().plot().figure.axes]
    assert said[1:] == ["difference in cka", "difference in rsa", "difference in mutual_knn"]
    assert found.contrasts().plot(measure="rsa").get_xlabel() == "difference in rsa"
    with pytest.raises(cs.InputError, match="measure must be one of 'cka'"):
        found.contrasts().plot(measure="ckaa")
    titles = [ax.get_title() or ax.get_title(loc="left") for ax in found.agreement().plot().figure.axes]
    assert [title.split()[-1] for title in titles[1:]] == ["V1", "IT"]
    one = found.agreement().plot(b="IT")
    assert len(one.figure.axes) == 1
    assert one.child_axes[0].get_ylim() == (-1, 1)  # the scale of the colours
    alone = found.agreement().plot(b="IT").figure.add_axes((0, 0, 1, 1))
    with pytest.raises(cs.InputError, match=r"plot_agreement: 2 pictures need an axis of plt.subplots"):
        found.agreement().plot(alone)
    assert "1 of 6 pairs; others: measure=, a=, b=" in cs.influence(a, b, "cka").plot().get_xlabel()


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_the_legend_of_a_shape_space_has_no_dots():
    layers = _layers(np.random.default_rng(0), 5)
    labels = {name: "early" if int(name[-1]) < 3 else "late" for name in layers}
    ax = cs.shape_space(layers, "cka", labels=labels, n_boot=0, n_perm=20, rng=0).plot()
    legend = next(panel.get_legend() for panel in ax.child_axes if panel.get_legend() is not None)
    assert [text.get_text() for text in legend.get_texts()] == ["early", "late"]
    assert not legend.get_lines()


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_agreement_has_one_scale_of_colours_in_all_panels():
    """The values of one measure stand the other way round for V1: tau below 0 is not the colour of tau above it."""
    rng = np.random.default_rng(0)
    a, b = _layers(rng, 4), {"V1": _layers(rng, 1)["layer0"], "IT": _layers(rng, 1)["layer0"]}
    found = cs.compare(a, b, measure=["cka", "rsa"], n_boot=0, n_perm=0, rng=0).agreement()
    found.data["tau"][:] = np.array([-0.33, 0.33])[:, None, None]
    colors = [found.plot(b=name).patches[0].get_facecolor() for name in ("V1", "IT")]
    panels = found.plot().figure.axes[1:]
    assert [panel.patches[0].get_facecolor() for panel in panels] == colors
    assert colors[0] != colors[1]


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_contrasts_have_a_key_and_say_what_is_one_sided():
    rng = np.random.default_rng(0)
    signal, ids = rng.normal(size=(20, 4)), np.repeat(np.arange(20), 4)
    models = {
        f"net {k}": cs.responses(
            signal @ rng.normal(size=(4, 6)) + k * rng.normal(size=(20, 6)), stimulus=np.arange(20)
        )
        for k in range(3)
    }
    brain = {
        name: cs.responses(
            np.repeat(signal @ rng.normal(size=(4, 6)), 4, axis=0) + rng.normal(size=(80, 6)),
            stimulus=ids,
            repeat="count",
        )
        for name in ("V1", "IT")
    }
    found = cs.compare(models, brain, "rsa", n_boot=50, n_perm=0, rng=0)

    def key(ax):
        return [text.get_text() for text in ax.get_legend().get_texts()]

    ax = found.contrasts().plot()
    assert set(key(ax)) <= {"corrected p < 0.05", "not told apart"}
    assert ax.get_title(loc="left") == "side a: first \u2212 second"
    assert ax.get_yticklabels()[0].get_text() == "net 0 \u2212 net 1, with V1"
    ax = found.contrasts(reference="ceiling", against="IT").plot()
    assert key(ax)[0] == "below, one-sided corrected p < 0.05"
    assert "two-sided" in ax.get_xlabel()
    assert ax.get_title(loc="left") == "side a: value \u2212 lower ceiling, with IT"
    named = cs.compare(
        {"ceiling": models["net 0"], "net": models["net 2"]}, brain["V1"], "rsa", n_boot=50, n_perm=0, rng=0
    )
    assert "two-sided" not in named.contrasts(reference="ceiling").plot().get_xlabel()


def test_the_map_names_its_sides_and_the_ends_of_its_scale():
    ax = plots.plot_map(LAYERED, figure(9, 3).add_subplot())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("side a", "side b")
    (bar,) = ax.child_axes
    assert [bar.get_xticks()[0], bar.get_xticks()[-1]] == pytest.approx(bar.get_xlim())


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_parts_of_a_partition_read_apart_however_long_the_names_are():
    rng = np.random.default_rng(0)
    models = {
        f"features.{k}.convolution": cs.measures.rdm(rng.normal(size=(12, 8)), square=True) for k in range(3)
    }
    data = {
        name: cs.rdm_data(values[None], stimulus=range(12), distance="correlation", system=name)
        for name, values in models.items()
    }
    brain = cs.rdm_data(
        sum(models.values())[None], stimulus=range(12), distance="correlation", system="brain"
    )
    ax = cs.partition(brain, data, n_boot=0, n_perm=0, rng=0).plot()
    words = [tick.get_text() for tick in ax.get_yticklabels()]
    assert len(set(words)) == len(words) == 11
    assert "common: \u20260\u2026 + \u20261\u2026" in words


def test_names_in_a_stimulus_map_move_apart():
    rng = np.random.default_rng(0)
    result = cs.rdms(
        {"x": cs.responses(rng.normal(size=(12, 3)), stimulus=[f"stimulus_{k}" for k in range(12)])},
        n_boot=0,
        rng=0,
    )
    ax = cs.plots.plot_stimulus_map(result)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 12
    over = sum(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert over <= 2


def test_an_encoding_without_a_test_says_nothing_of_chance():
    rng = np.random.default_rng(0)
    x = cs.responses(rng.normal(size=(40, 3)), stimulus=np.arange(40))
    y = cs.responses(x.values + rng.normal(size=(40, 3)), stimulus=np.arange(40))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        result = cs.encode(x, y, n_boot=0, n_perm=0, n_deals=0, rng=0)
    ax = result.plot()
    assert ax.get_legend() is None
    hollow, filled = (len(dots.get_offsets()) for dots in ax.collections[-2:])
    assert (hollow, filled) == (0, 3)
