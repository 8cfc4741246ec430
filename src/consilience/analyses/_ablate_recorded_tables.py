"""From scores of lesions of recorded data to the tables of `Ablation`: intervals, p, areas, distance from the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience.analyses._ablate_recorded_runs import Plan, Run
from consilience.analyses._ablate_tables import agreement_table
from consilience.analyses._recorded_fits import Fit, Task
from consilience.models._removed_units import replacements
from consilience.stats import OffDistribution, fdr
from consilience.stats._effect_agreement import held_out_agreement
from consilience.stats._held_out_change import area_under, held_out_change, placement, without_rounding

__all__ = ["Numbers", "agreement_of", "curves_table", "off_scores", "parts_table"]

_ROWS = 600  # whose distance from the others is measured
_ORDERS = 5  # random orders of which it is


class Numbers:
    """Values of all lesions of one ``how`` with bootstrap draws and other deals, as differences are made of them."""

    def __init__(
        self,
        run: Run,
        again: list[Run],
        weights: np.ndarray | None,
        blocks: int,
        level: float,
        *,
        higher: bool,
        factor: float,
    ) -> None:
        self.run, self.again, self.weights, self.blocks, self.level = run, again, weights, blocks, level
        self.sign = 1.0 if higher else -1.0
        self.factor = factor
        self.value = run.split(run.values()[0])
        self.draws = None if weights is None else run.split(run.values(weights))
        self.deals = [r.split(r.values()[0]) for r in again]

    def change(
        self, of: Any, orders: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(value, low, high, p) of what ``of`` makes of the values of lesions; ``orders`` (K, ...): what each random
        order gives, where the mean over them is in it.
        """
        point = without_rounding(np.asarray(of(self.value)))
        if self.draws is None:
            return (point, *(np.full(point.shape, np.nan),) * 3)
        more = np.stack([of(d) for d in self.deals]) if self.deals else None
        options: dict[str, Any] = {"level": self.level, "blocks": self.blocks, "factor": self.factor}
        return (point, *held_out_change(of(self.draws), point, deals=more, orders=orders, **options))

    def impacts(self) -> np.ndarray | None:
        """(draws, P) of bootstrap draws."""
        return None if self.draws is None else self.lost(self.draws)

    def lost(self, v: Any) -> np.ndarray:
        return np.asarray(self.sign * (np.asarray(v["intact"])[..., None] - v["single"]))

    def each(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(value, low, high) (P, k) of the impact on each class, column or unit."""

        def lost(e: np.ndarray) -> np.ndarray:
            return np.asarray(self.sign * (e[:, :1] - e[:, 1:]))

        point = lost(self.run.each())[0]
        if self.weights is None:
            return point, np.full(point.shape, np.nan), np.full(point.shape, np.nan)
        more = np.stack([lost(r.each())[0] for r in self.again]) if self.again else None
        drawn = lost(self.run.each(self.weights))
        kept = np.isfinite(drawn).all(axis=(1, 2))  # a draw may leave a class out
        low, high, _ = held_out_change(
            drawn[kept], point, level=self.level, blocks=self.blocks, deals=more, factor=self.factor
        )
        return point, low, high


def line_of(name: str) -> Any:
    """Curve (..., S) of an order; of random ones the mean."""

    def line(v: Any) -> np.ndarray:
        return np.asarray(v[name].mean(axis=-2) if name == "random" else v[name])

    return line


def parts_table(
    numbers: dict[str, Numbers], task: Task, parts: list[str], off: dict[str, Any], *, single: bool
) -> xr.Dataset:
    first = next(iter(numbers.values()))
    hows = list(numbers)
    names = parts if single else []
    size = len(names)
    made: dict[str, list[Any]] = {
        k: [] for k in ("score", "impact", "ci_low", "ci_high", "p", "q", "unchanged")
    }
    classes: list[Any] = []
    for one in numbers.values() if single else ():
        impact, low, high, p = one.change(one.lost)
        same = one.run.unchanged
        q = fdr(p) if np.isfinite(p).all() else np.full(size, np.nan)
        for key, value in zip(made, (one.value["single"], impact, low, high, p, q, same)):
            made[key].append(value)
        classes.append(one.each())
    dims = ("how", "part")
    table = {k: (dims, np.stack(v) if v else np.empty((len(hows), 0))) for k, v in made.items()}
    for k, key in enumerate(("off_distribution", "off_low", "off_high")):
        found = [off[h][k][1 : 1 + size] if h in off else np.full(size, np.nan) for h in hows]
        table[key] = (dims, np.stack(found))
    data = xr.Dataset(table, coords={"how": hows, "part": np.array(names, dtype=str)})
    if classes and len(task.names) > 1:
        keys = ("class_impact", "class_low", "class_high")
        data = data.assign(
            {k: ((*dims, "class"), np.stack([c[i] for c in classes])) for i, k in enumerate(keys)}
        ).assign_coords({"class": np.array(task.names, dtype=str)})
    value, low, high, _ = first.change(lambda v: v["intact"])
    return data.assign(intact=value, intact_low=low, intact_high=high)


def curves_table(
    numbers: dict[str, Numbers], plan: Plan, sequences: dict[str, np.ndarray], off: dict[str, Any]
) -> xr.Dataset:
    """``sequences`` : {order: (P,) parts in order} of the orders that are the same in every fold."""
    hows, orders = list(numbers), ["random", *plan.orders.named]
    size, many = len(plan.columns), plan.steps.size
    fraction = plan.steps / size
    shape = len(hows), len(orders)
    curve = {k: np.full((*shape, many), np.nan) for k in ("score", "ci_low", "ci_high", "off_distribution")}
    keys = (
        "area",
        "area_low",
        "area_high",
        "difference",
        "difference_low",
        "difference_high",
        "p",
        "placement",
    )
    area = {k: np.full(shape, np.nan) for k in keys}
    most = max(one.run.n_random for one in numbers.values())
    random_area = np.full((len(hows), most), np.nan)
    band = np.full((2, len(hows), many), np.nan)
    for h, (how, one) in enumerate(numbers.items()):
        every = one.value["random"]
        random_area[h, : len(every)] = area_under(every, fraction)
        band[:, h] = np.quantile(every, [0.025, 0.975], axis=0)
        for o, name in enumerate(orders):
            line = line_of(name)
            random = name == "random"
            found = one.change(line, every if random else None)
            for key, v in zip(("score", "ci_low", "ci_high"), found):
                curve[key][h, o] = v
            if how in off:
                curve["off_distribution"][h, o] = off[how][3][name]
            areas = area_under(every, fraction)
            found = one.change(lambda v, line=line: area_under(line(v), fraction), areas if random else None)
            for key, v in zip(keys[:3], found):
                area[key][h, o] = v
            if random:
                continue
            middle = line_of("random")
            found = one.change(
                lambda v, line=line, middle=middle: area_under(line(v) - middle(v), fraction), areas
            )
            for key, v in zip(keys[3:7], found):
                area[key][h, o] = v
            area["placement"][h, o] = placement(area["area"][h, o], areas)
    sequence = np.stack([sequences.get(name, np.full(size, -1)) for name in orders])
    return xr.Dataset(
        {
            **{k: (("how", "order", "step"), v) for k, v in curve.items()},
            "random_low": (("how", "step"), band[0]),
            "random_high": (("how", "step"), band[1]),
            **{k: (("how", "order"), v) for k, v in area.items()},
            "random_area": (("how", "draw"), random_area),
            "sequence": (("order", "place"), sequence),
        },
        coords={
            "how": hows,
            "order": orders,
            "n_removed": ("step", plan.steps),
            "fraction": ("step", fraction),
        },
    )


def off_scores(
    task: Task, fits: list[Fit], plan: Plan, how: Any, level: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """How far inputs under a lesion lie from intact ones (`OffDistribution`): (value, low, high) (1 + P,) of single
    parts, none first, and {order: (S,)}. Fitted to the rows of one half of the folds, scored on the others.
    """
    most = max(8, _ROWS // len(fits))
    places = [np.unique(np.linspace(0, f.test.size - 1, min(most, f.test.size)).astype(int)) for f in fits]
    x, instead, masks = [], [], []
    n_random = min(_ORDERS, len(plan.orders.random)) if plan.steps.size else 0
    for fit, at in zip(fits, places):
        x.append(np.asarray(fit.x[at], np.float64))
        instead.append(np.asarray(replacements(how, x[-1], fit.inside, rng), np.float64))
        masks.append(plan.masks(fit, n_random))
    values, given = np.concatenate(x), np.concatenate(instead)
    owner = np.repeat(np.arange(len(fits)), [len(v) for v in x])
    off = OffDistribution(values, owner < (len(fits) + 1) // 2)
    distances = np.empty((len(masks[0]), len(values)))
    for m in range(len(masks[0])):
        gone = np.stack([each[m] @ plan.columns for each in masks])[owner]
        distances[m] = off.distances(np.where(gone, given, values))
    found = off.ratio(distances, level=level)
    single = 1 + len(plan.columns) * plan.single
    size = plan.steps.size
    out: dict[str, np.ndarray] = {}
    if size:
        rest = found[0][single:].reshape(-1, size)
        out["random"] = rest[:n_random].mean(axis=0)
        out |= {name: rest[n_random + k] for k, name in enumerate(plan.orders.named)}
    return found[0][:single], found[1][:single], found[2][:single], out


def agreement_of(numbers: dict[str, Numbers], data: xr.Dataset, level: float) -> xr.Dataset | None:
    """Pairs of choices of what stands in place of a unit; refitted models answer another question and are left out."""
    hows = [h for h in numbers if h != "refit"]
    if len(hows) < 2 or data.sizes["part"] < 3:
        return None
    found = []
    for i, a in enumerate(hows):
        for b in hows[i + 1 :]:
            one, two = numbers[a], numbers[b]
            agreed = held_out_agreement(
                one.lost(one.value),
                two.lost(two.value),
                one.impacts(),
                two.impacts(),
                level=level,
                blocks=one.blocks,
                factor=one.factor,
            )
            found.append((a, b, agreed))
    return agreement_table(found)
