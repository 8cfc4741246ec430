"""Pictures of patches, interchanges and noise: every form draws, in the caller's axis and in its own figure."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import consilience as cs
from consilience._results import Interchange, Patching, Robustness


def patching(layers=2, places=3, parts=1, grid=False):
    rng = np.random.default_rng(0)
    names = [f"y{i // 2},x{i % 2}" for i in range(places)] if grid else [str(i) for i in range(places)]
    coords = {
        "layer": [f"layer{i}" for i in range(layers)],
        "place": names if places > 1 else ["all"],
        "part": [str(i) for i in range(parts)] if parts > 1 else ["all"],
    }
    shape = (layers, places, parts)
    effect = rng.normal(0.3, 0.4, shape)
    fields = {
        "effect": effect,
        "ci_low": effect - 0.1,
        "ci_high": effect + 0.1,
        "control": effect * 0 + 0.05,
        "change": effect,
        "change_low": effect - 0.1,
        "change_high": effect + 0.1,
        "p": rng.random(shape) * 0.2,
        "p_family": rng.random(shape) * 0.2,
    }
    data = xr.Dataset({name: (tuple(coords), values) for name, values in fields.items()}, coords=coords)
    pairs = xr.Dataset({"clean": ("pair", np.ones(4)), "corrupted": ("pair", np.zeros(4))})
    return Patching(data=data, pairs=pairs, settings={"system": "net", "direction": "denoise", "gap": 1.0})


@pytest.mark.parametrize(
    ("shape", "grid", "images"),
    [
        ((2, 3, 1), False, 1),
        ((1, 4, 1), True, 1),
        ((1, 1, 60), False, 0),
        ((2, 1, 5), False, 1),
        ((4, 1, 1), False, 0),
    ],
)
def test_each_form_of_a_grid_is_drawn(shape, grid, images):
    result = patching(*shape, grid=grid)
    ax = result.plot()
    assert len(ax.images) == images
    ax.figure.canvas.draw()
    if not images:
        assert len(ax.get_yticks()) <= 40
    own = plt.figure().add_subplot()
    assert result.plot(own) is own
    plt.close("all")


def test_parts_at_several_places_get_a_panel_each():
    figure = plt.figure()
    patching(2, 3, 3).plot(figure.add_subplot())
    assert sum(len(ax.images) for ax in figure.axes) == 3
    plt.close("all")


def test_curves_of_noise_and_dots_of_interchanges():
    levels = np.array([0, 0.5, 1.0])
    value = np.array([[1, 0.8, 0.4], [1, 0.9, 0.85]])
    layers = {"layer": ["_a", "b"]}
    robust = Robustness(
        data=xr.Dataset(
            {
                k: (("layer", "level"), value + d)
                for k, d in (("value", 0), ("ci_low", -0.1), ("ci_high", 0.1))
            },
            coords={**layers, "level": levels},
        ),
        layers=xr.Dataset({"half_level": ("layer", [0.8, np.inf])}, coords=layers),
        differences=xr.Dataset(),
        settings={"system": "net", "noise": "gaussian", "scale": "unit", "chance": 0.2, "score": "accuracy"},
    )
    ax = robust.plot()
    assert len(ax.lines) == 4  # two curves, one cross, chance
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [" _a", "b"]
    names = ("accuracy", "ci_low", "ci_high", "unpatched", "random_low", "random_high", "random_mean", "p")
    found = Interchange(
        data=xr.Dataset({k: ("variable", [0.5, 1.0]) for k in names}, coords={"variable": ["x", "y"]}),
        pairs=xr.Dataset(),
        settings={"system": "net", "layer": "hidden"},
    )
    assert found.plot().get_xlim()[1] > 1
    with pytest.raises(cs.InputError, match="must be a Patching"):
        cs.plots.plot_patching(found)
    plt.close("all")
