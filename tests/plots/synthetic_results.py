"""Synthetic results for the tests of plots and report: shaped like those of `cs.compare` and `cs.rdms`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from consilience._core._errors import Caution
from consilience._results import Comparison, RDMs

VARIABLES = (
    "value",
    "value_pooled",
    "ci_low",
    "ci_high",
    "ci_subjects_low",
    "ci_subjects_high",
    "ci_both_low",
    "ci_both_high",
    "p",
    "p_fwer",
    "null_mean",
    "null_expected",
    "ceiling_low",
    "ceiling_high",
    "ratio",
    "n_stimuli",
    "n_subjects",
    "n_units_a",
    "n_units_b",
)
LAYERS = [f"_blocks.{i}" for i in range(16)] + ["_conv_head", "_fc"]
BRAINS = ["monkey_IT", "human_IT"]


def _table(value, b, a, measures, *, rng, ceiling, bare=False):
    shape = value.shape
    half = 0.05 + 0.01 * rng.random(shape)
    low, high = (np.broadcast_to(np.asarray(end)[:, None, :], shape) for end in ceiling)
    full = {
        "value": value,
        "value_pooled": value + 0.03,
        "ci_low": value - half,
        "ci_high": value + half,
        "ci_subjects_low": value - 1.4 * half,
        "ci_subjects_high": value + 1.4 * half,
        "ci_both_low": value - 1.7 * half,
        "ci_both_high": value + 1.7 * half,
        "p": np.where(value > 0.1, 1 / 1001, 0.2),
        "p_fwer": np.where(value > 0.12, 1 / 1001, 0.4),
        "null_mean": np.full(shape, 0.001),
        "null_expected": np.zeros(shape),
        "ceiling_low": low,
        "ceiling_high": high,
        "ratio": value / high,
        "n_stimuli": np.full(shape, 92.0),
        "n_subjects": np.full(shape, 4.0),
        "n_units_a": np.full(shape, 4000.0),
        "n_units_b": np.full(shape, np.nan),
    }
    for name in VARIABLES:
        if bare and name not in ("value", "n_stimuli", "n_units_a"):
            full[name] = np.full(shape, np.nan)
    dims = ("measure", "a", "b")
    return xr.Dataset(
        {n: (dims, np.array(v, dtype=float)) for n, v in full.items()},
        coords={"measure": list(measures), "a": a, "b": b},
    )


def comparison(a=None, b=None, measures=("rsa", "cka"), *, seeds=3, bare=False, rng=0, warnings=True):
    """A profile that rises to layer 13 of 18 and falls, for side b systems of falling height."""
    generator = np.random.default_rng(rng)
    a, b = list(a or LAYERS), list(b or BRAINS)
    x = np.arange(len(a)) / max(len(a) - 1, 1)
    curve = 0.08 + 0.34 * np.exp(-(((x - 0.76) / 0.3) ** 2))
    heights = 1 - 0.18 * (np.arange(len(b)) % 5)
    value = np.stack(
        [
            (curve[:, None] * heights + 0.1 * m) + 0.012 * generator.standard_normal((len(a), len(b)))
            for m in range(len(measures))
        ]
    )
    top = np.stack([0.58 * heights + 0.1 * m for m in range(len(measures))])
    data = _table(value, b, a, measures, rng=generator, ceiling=(top - 0.09, top), bare=bare)
    baselines = best = None
    if seeds:
        dull = np.stack(
            [0.35 * value + 0.05 + 0.01 * generator.standard_normal(value.shape) for _ in range(seeds)]
        )
        baselines = xr.concat(
            [_table(d, b, a, measures, rng=generator, ceiling=(top - 0.09, top), bare=bare) for d in dull],
            dim="seed",
        )
        baselines = baselines.assign_coords(seed=list(range(seeds)))
    if len(a) > 1:
        best = _best(value, a, b, measures, baselines, bare=bare)
    cautions = (
        Caution(
            "few-subjects",
            "monkey_IT has RDMs of 2 subjects, so no interval over subjects is drawn.",
            "Read the interval as conditional on them.",
        ),
        Caution(
            "made-up-ids",
            "No stimulus ids were given; stim0000... stand for the rows in their order.",
            "Pass stimulus=[...].",
        ),
    )
    return Comparison(
        data=data,
        baselines=baselines,
        best_a=best,
        best_b=None,
        seed="0",
        settings={
            "n_boot": 1000,
            "n_perm": 1000,
            "by": "stimulus",
            "cv": 5,
            "baseline": {"untrained": seeds},
            "measure": list(measures),
        },
        versions={"python": "3.11.9", "consilience": "0.1.0", "numpy": "2.1.0"},
        warnings=cautions if warnings else (),
        references=("kriegeskorte2008representational",),
        methods=(
            "Responses were compared by representational similarity analysis (correlation distance, "
            "Spearman).",
            "Intervals come from 1,000 bootstrap draws over stimuli.",
        ),
    )


def _best(value, a, b, measures, baselines, *, bare):
    index = value.argmax(1)
    names = np.array(a, dtype=object)
    top = value.max(1)
    dims = ("measure", "b")
    nan = np.full(top.shape, np.nan)
    fields = {
        "value": top - 0.012,
        "ci_low": top - 0.07,
        "ci_high": top + 0.05,
        "ci_both_low": top - 0.1,
        "ci_both_high": top + 0.08,
        "share": np.full(top.shape, 0.64),
        "naive_value": top,
        "p": np.full(top.shape, 1 / 1001),
    }
    if bare:
        fields |= dict.fromkeys(("ci_low", "ci_high", "ci_both_low", "ci_both_high", "p"), nan)
    data = xr.Dataset({n: (dims, v) for n, v in fields.items()}, coords={"measure": list(measures), "b": b})
    data["chosen"] = (dims, names[index])
    data["naive"] = (dims, names[index])
    if baselines is not None:
        base = baselines["value"].max("a").transpose("seed", "measure", "b").values
        gap = data["value"].values - base
        for name, v in (
            ("baseline_value", base),
            ("difference", gap),
            ("difference_low", gap - 0.06),
            ("difference_high", gap + 0.06),
            ("difference_both_low", gap - 0.1),
            ("difference_both_high", gap + 0.1),
        ):
            data[name] = (
                ("seed", *dims),
                np.full_like(v, np.nan) if bare and name[-3:] in ("low", "igh") else v,
            )
        data = data.assign_coords(seed=baselines["seed"].values)
    return data


def stimuli(n=92, size=48, ids=None):
    """Coloured shapes on light grey: (stimulus, y, x, channel) uint8, with a category on stimulus."""
    generator = np.random.default_rng(3)
    y, x = np.mgrid[:size, :size] / size - 0.5
    pictures = np.full((n, size, size, 3), 232, np.uint8)
    kinds = ["face", "body", "plant", "tool"]
    for i in range(n):
        kind = i * 4 // n
        color = np.array(
            [[214, 120, 84], [196, 150, 120], [96, 150, 84], [90, 110, 160]][kind]
        ) + generator.integers(-30, 30, 3)
        radius = 0.25 + 0.12 * generator.random()
        form = [
            x**2 + y**2 < radius**2,
            np.abs(x) + np.abs(y) < radius * 1.2,
            (np.abs(x) < 0.1) | (y**2 + x**2 < radius**2 / 2),
            np.maximum(np.abs(x), np.abs(y)) < radius * 0.8,
        ][kind]
        pictures[i][form] = np.clip(color, 0, 255)
        pictures[i][form & (x + y < -0.05)] = np.clip(color + 28, 0, 255)
    names = ids or [f"{kinds[i * 4 // n]}_{i:02d}" for i in range(n)]
    coords = {"stimulus": names, "category": ("stimulus", [kinds[i * 4 // n] for i in range(n)])}
    import xarray as xr

    return xr.DataArray(pictures, dims=("stimulus", "y", "x", "channel"), coords=coords)


def rdms(systems=("monkey_IT", "human_IT", "_blocks.3", "_blocks.13"), n=92, ids=None, nan=False):
    """RDMs of four clusters of stimuli, more or less blurred by noise; maps by classical scaling."""
    generator = np.random.default_rng(5)
    kinds = np.arange(n) * 4 // n
    centre = np.array([[0, 0], [0.6, 0.3], [2.2, 0], [2.0, 1.6]])[kinds]
    squares, maps = [], []
    for k in range(len(systems)):
        spread = 0.35 + 0.25 * (k % 4)
        points = centre + spread * generator.standard_normal((n, 2))
        rest = 0.4 * generator.standard_normal((n, 6))
        whole = np.hstack([points, rest])
        squares.append(((whole[:, None] - whole[None]) ** 2).sum(-1))
        maps.append(points - points.mean(0))
    square = np.array(squares)
    if nan:
        square[:, 2, 5] = square[:, 5, 2] = np.nan
    names = ids or [f"{['face', 'body', 'plant', 'tool'][k]}_{i:02d}" for i, k in enumerate(kinds)]
    coords = {"system": list(systems), "stimulus": names}
    return RDMs(
        rdms=xr.DataArray(
            square, dims=("system", "stimulus", "stimulus_"), coords=coords | {"stimulus_": names}
        ),
        map=xr.DataArray(np.array(maps), dims=("system", "stimulus", "axis"), coords=coords),
        data=xr.Dataset(
            {
                "explained": ("system", np.linspace(0.6, 0.4, len(systems))),
                "n_subjects": ("system", np.full(len(systems), 4.0)),
            },
            coords={"system": list(systems)},
        ),
        systems_map=xr.DataArray(
            generator.standard_normal((len(systems), 2)),
            dims=("system", "axis"),
            coords={"system": list(systems)},
        )
        if len(systems) > 1
        else None,
        settings={"distance": "correlation"},
        versions={"python": "3.11.9"},
        references=("kriegeskorte2008matching",),
        methods=("RDMs were laid out by classical multidimensional scaling.",),
    )


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "{% raw %}",
    "</style>",
    "javascript:alert(1)",
    "emoji 🧠🐒",
    "עברית RTL \u202eevil",
    "new\nline",
    "nul\0byte",
    "x" * 10_000,
    "$\\frac{1}{2}$",
    "=1+1",
    "+cmd",
    "@SUM(A1)",
    "-2+3",
    "\x1b[31mred",
    "tab\tbed",
    "]]></svg>",
    "&amp; &lt;",
    "lone \ud800",
]
