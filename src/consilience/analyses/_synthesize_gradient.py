"""One call of `synthesize` on units of a network: gradient ascent, then the scores of what came out."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_option, shorten
from consilience._core._seeds import Seed
from consilience.analyses._synthesis_scores import (
    Values,
    agreement,
    natural_values,
    null_values,
    robustness,
    share_left,
    starts_from,
)
from consilience.networks import Unit
from consilience.networks._input_space import InputSpace
from consilience.networks._synthesis import Search, climb, respond_to_inputs
from consilience.networks._transforms import Transforms
from consilience.networks._unit import as_units
from consilience.networks._unit_respond import respond

__all__ = ["Gradient"]

WHO = "cs.synthesize"
RATE = 0.1  # of Adam: random starts have this size
SATURATED, UNFINISHED = 0.25, 0.05
_NOISE = 32  # noise stimuli that make units comparable, where there are no natural ones


class Gradient:
    """One call of `synthesize` on units of a network."""

    def __init__(
        self,
        units: list[Unit],
        pattern: Any,
        natural: xr.DataArray | None,
        space: InputSpace,
        asked: dict[str, Any],
        seed: Seed,
    ) -> None:
        self.units, self.natural, self.space, self.asked, self.seed = units, natural, space, asked, seed
        self.net, self.device = units[0].network, asked["device"]
        self.pattern, self.vectors = _pattern(pattern, len(units))
        self.kind = asked["parameterization"]
        if self.kind == "auto":
            self.kind = "fourier" if space.channel_axis is not None else "pixel"
        self.ordered = self.kind == "fourier" or space.channel_axis is not None
        names = [unit.name for unit in units]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(
                f"{WHO}: two units have the name {twice!r}; give each unit once, or pass name= to net.unit.",
                code="repeated-ids",
            )
        if self.pattern in ("each", "one-hot"):
            self.names, self.own = names, np.arange(len(units))
        else:
            t = 1 if self.vectors is None else len(self.vectors)
            self.names = ["all high"] if self.vectors is None else [f"pattern {i}" for i in range(t)]
            self.own = np.zeros(t, dtype=np.int64)

    def respond(self, inputs: np.ndarray) -> np.ndarray:
        return respond_to_inputs(self.units, inputs, device=self.device)

    def run(self, check: Any) -> tuple[Any, ...]:
        asked, space, t = self.asked, self.space, len(self.names)
        checked = _checks(check, self.units, self.pattern)
        raw = None if self.natural is None else respond(self.units, self.natural, device=self.device)
        compared = (
            raw
            if raw is not None and len(raw) > 1
            else self.respond(space.noise(self.seed.stream("comparison"), _NOISE, ordered=self.ordered))
        )
        spread = compared.std(axis=0, ddof=1)
        centre = compared.mean(axis=0)
        spread = np.where(spread > 1e-12 * np.maximum(1, np.abs(centre)), spread, 1.0)
        values = Values(self.pattern, self.own, centre, spread, self.vectors)
        natural = None if raw is None else values(raw)
        s = asked["n_seeds"]
        targets, restarts = np.repeat(np.arange(t), s), np.tile(np.arange(s), t)
        starts = None
        if natural is not None and self.natural is not None:
            starts = starts_from(self.net, self.natural, natural.argmax(axis=0), who=WHO)[targets]
        transforms = Transforms(asked["transforms"], space, who=WHO)
        search = Search(
            units=self.units,
            space=space,
            pattern=self.pattern,
            own=self.own[targets],
            image_seed=restarts,
            centre=centre,
            spread=spread,
            target=None if self.vectors is None else self.vectors[targets],
            sets=[list(range(i * s, (i + 1) * s)) for i in range(t)],
            parameterization=self.kind,
            steps=asked["steps"],
            rate=RATE,
            transforms=transforms,
            smooth=asked["smooth"],
            diversity=asked["diversity"],
            exemplars=starts,
            device=self.device,
        )
        climbed = climb(search, self.seed, who=WHO)
        alive = self._alive(climbed, targets)
        self.spaces = [space.within(climbed.boxes[i * s]) for i in range(t)]
        kept = np.flatnonzero(alive)
        ids = [f"{self.names[targets[i]]} seed {restarts[i]}" for i in kept]
        stimuli = space.stimuli(climbed.inputs[kept], ids).assign_coords(
            target=("stimulus", [self.names[targets[i]] for i in kept]), seed=("stimulus", restarts[kept])
        )
        # what is reported is what the stimuli that are given back do
        plain = stimuli.drop_vars(["target", "seed"])
        if space.back is not None:
            activations = respond(self.units, plain, device=self.device)
        else:
            activations = self.respond(plain.values)
            warn(
                "not-pixels",
                f"The preprocessing of {self.net.name} is not x = a * stimulus + b, so stimuli are given back as the "
                "module gets them.",
                "Record them with cs.Network(net.module), without preprocess.",
            )
        each = np.full((t * s, t), np.nan)
        each[kept] = values(activations)
        each_value = each[np.arange(t * s), targets].reshape(t, s)
        every = np.full((t * s, len(self.units)), np.nan)
        every[kept] = activations
        dead = ~np.isfinite(each_value).any(axis=1)
        best = np.where(dead, 0, np.nanargmax(np.where(np.isfinite(each_value), each_value, -np.inf), axis=1))
        row = np.arange(t) * s + best
        inputs = climbed.inputs.copy()
        inputs[~alive] = np.nan
        value = each_value[np.arange(t), best]
        data = self._scores(inputs, row, value, values, natural, checked, plain, kept)
        data |= {
            "best_seed": ("target", best),
            "each_value": (("target", "seed"), each_value),
            "alive": (("target", "seed"), alive.reshape(t, s)),
            "start": (("target", "seed"), np.array(climbed.start).reshape(t, s)),
            "norm": (("target", "seed"), _norms(inputs, space).reshape(t, s)),
            "saturated": (("target", "seed"), _saturated(inputs, space).reshape(t, s)),
            "responses": (("target", "unit"), every[row]),
        }
        course = climbed.course.reshape(t, s, -1)
        data["course"] = (("target", "seed", "step"), course)
        late = _late(course[np.arange(t), best], climbed.at)
        data["late_gain"] = ("target", late)
        self._doubts(data, late)
        self._low(data)
        dataset = xr.Dataset(
            data,
            coords={
                "target": self.names,
                "seed": np.arange(s),
                "unit": [unit.name for unit in self.units],
                "step": climbed.at[: course.shape[2]],
                "layer": ("unit", [unit.layer for unit in self.units]),
            },
        )
        exemplars, pictures = self._exemplars(natural)
        settings = {
            "verb": "synthesize",
            "method": "gradient",
            "system": self.net.name,
            "layers": list(dict.fromkeys(unit.layer for unit in self.units)),
            "pattern": self.pattern,
            "steps": asked["steps"],
            "n_seeds": s,
            "shape": list(space.shape),
            "norm": space.norm,
            "norm_from": space.norm_from,
            "bounded": space.bounded,
            "parameterization": self.kind,
            "transforms": transforms.settings
            | {"jitter": max(max(one, default=0) for one in climbed.jitter)},
            "total_variation": asked["smooth"],
            "diversity": asked["diversity"],
            "n_null": asked["n_null"],
            "n_natural": 0 if raw is None else len(raw),
            "check": None if checked is None else checked[0].network.name,
            "pixels": space.back is not None,
        }
        return dataset, stimuli, exemplars, pictures, settings

    def _alive(self, climbed: Any, targets: np.ndarray) -> np.ndarray:
        alive = climbed.alive & np.isfinite(climbed.inputs.reshape(len(targets), -1)).all(axis=1)
        by_target = [alive[targets == i] for i in range(len(self.names))]
        lost = [name for name, of in zip(self.names, by_target) if not of.any()]
        if len(lost) == len(self.names):
            raise InputError(
                f"{WHO}: no start has a gradient for {', '.join(map(repr, lost[:4]))}"
                f"{f' and {len(lost) - 4} more' if len(lost) > 4 else ''}, nor through rectifiers that are off: the "
                "unit may be dead, or not depend on the input; give natural= to start from its best natural stimulus, "
                "another norm=, or look at unit.respond(stimuli).",
                code="dead-start",
            )
        if lost or not all(of.all() for of in by_target):
            which = (
                f"no result for {', '.join(map(repr, lost[:4]))}" if lost else "every target has another seed"
            )
            warn(
                "dead-start",
                f"{int((~alive).sum())} of {len(alive)} starts have no gradient and are left out ({which}).",
                "Give natural= to start from the best natural stimulus, more n_seeds=, or another norm=.",
            )
        return np.asarray(alive)

    def _scores(
        self,
        inputs: np.ndarray,
        row: np.ndarray,
        value: np.ndarray,
        values: Values,
        natural: np.ndarray | None,
        checked: list[Unit] | None,
        plain: xr.DataArray,
        kept: np.ndarray,
    ) -> dict[str, Any]:
        t, s, n_null, space = len(self.names), self.asked["n_seeds"], self.asked["n_null"], self.space
        blank = np.full(t, np.nan)
        also = None
        if checked is not None:

            def of_inputs(made: np.ndarray) -> np.ndarray:
                ids = [f"s{i}" for i in range(len(made))]
                return respond(checked, space.stimuli(made, ids), device=self.device)

            also = of_inputs
        streams = [self.seed.child("null").stream(name) for name in self.names]
        null, other, alike = null_values(
            self.spaces, inputs[row], self.respond, values, n_null, streams, ordered=self.ordered, also=also
        )
        null_mean = null.mean(axis=1) if n_null else blank
        agree = [agreement(space, one[np.isfinite(one).reshape(len(one), -1).all(axis=1)], ordered=self.ordered)
                 for one in inputs.reshape(t, s, *space.shape)]  # fmt: skip
        shift, noise = robustness(
            space, inputs[row], self.respond, values, self.seed.stream("robustness"), ordered=self.ordered
        )
        data: dict[str, Any] = {
            "value": value,
            "ci_low": blank,
            "ci_high": blank,
            "natural_best": blank,
            "natural_same_norm": blank,
            "percentile": blank,
            "null_mean": null_mean,
            "null_sd": null.std(axis=1, ddof=1) if n_null > 1 else blank,
            "p": np.where(
                np.isfinite(value), (1 + (null >= value[:, None]).sum(axis=1)) / (1 + n_null), np.nan
            )
            if n_null
            else blank,
            "agreement": np.array([a for a, _ in agree]),
            "agreement_shifted": np.array([b for _, b in agree]),
            "agreement_null": alike,
            "after_shift": share_left(shift, value, null_mean),
            "after_noise": share_left(noise, value, null_mean),
            "check": blank,
            "check_natural": blank,
            "check_p": blank,
        }
        out: dict[str, Any] = {}
        if natural is not None and self.natural is not None:
            matched = natural_values(self.net, self.natural, self.spaces, self.respond, values, who=WHO)
            data["natural_best"] = natural.max(axis=0)
            data["natural_same_norm"] = matched.max(axis=0)
            data["percentile"] = np.where(
                np.isfinite(value), 100 * (matched < value[None]).mean(axis=0), np.nan
            )
            out["natural_stimulus"] = (
                "target",
                self.natural["stimulus"].values[natural.argmax(axis=0)].astype(str),
            )
        if checked is not None:
            found = respond(checked, plain, device=self.device)
            where = {int(i): k for k, i in enumerate(kept)}
            mine = np.array(
                [found[where[r], i] if r in where else np.nan for i, r in enumerate(row.tolist())]
            )
            data["check"] = mine
            if self.natural is not None:
                data["check_natural"] = respond(checked, self.natural, device=self.device).max(axis=0)
            if other is not None and n_null:
                data["check_p"] = np.where(
                    np.isfinite(mine), (1 + (other >= mine[:, None]).sum(axis=1)) / (1 + n_null), np.nan
                )
        return {name: ("target", np.asarray(v, dtype=np.float64)) for name, v in data.items()} | out

    def _doubts(self, data: dict[str, Any], late: np.ndarray) -> None:
        full = np.nanmax(data["saturated"][1])
        if full > SATURATED:
            warn(
                "saturated",
                f"Up to {full:.0%} of the values of a stimulus stand at a bound, so its norm is less than asked for "
                "and its shape is that of the bounds.",
                "Use a smaller norm=, or wider bounds=.",
            )
        slow = np.flatnonzero(late > UNFINISHED)
        if slow.size:
            warn(
                "not-converged",
                f"{slow.size} of {late.size} targets gained more than {UNFINISHED:.0%} of their rise in the last tenth "
                f"of the steps, first {self.names[int(slow[0])]!r}.",
                f"Use more than {self.asked['steps']} steps=.",
            )

    def _low(self, data: dict[str, Any]) -> None:
        """Says where the ascent found less than there is without it."""
        value, natural, null = (data[key][1] for key in ("value", "natural_same_norm", "null_mean"))
        slack = 1e-6 * np.abs(value)
        low = np.flatnonzero((value < natural - slack) | (value <= null))
        if low.size:
            first = int(low[0])
            beyond = [
                f"{words} {found[first]:.3g}"
                for words, found in (("the best natural one of its norm", natural), ("random phases", null))
                if value[first] <= found[first]
            ]
            warn(
                "below-natural",
                f"The stimulus of {low.size} of {value.size} targets drives it no more than others of its norm do, "
                f"first {self.names[first]!r}: {value[first]:.3g}, {' and '.join(beyond)}.",
                "It is no preferred stimulus: use more steps= or n_seeds=, transforms=None, or smaller weights.",
            )

    def _exemplars(self, natural: np.ndarray | None) -> tuple[xr.Dataset | None, xr.DataArray | None]:
        if natural is None or self.natural is None:
            return None, None
        n = min(self.asked["n_exemplars"], len(natural))
        order = np.argsort(-natural, axis=0, kind="stable")[:n].T  # (t, n)
        ids = self.natural["stimulus"].values
        exemplars = xr.Dataset(
            {
                "stimulus": (("target", "rank"), ids[order].astype(str)),
                "value": (("target", "rank"), np.take_along_axis(natural.T, order, axis=1)),
            },
            coords={"target": self.names, "rank": np.arange(n)},
        )
        used = np.unique(order)
        shown = self.natural.isel(stimulus=used)
        pictures = xr.DataArray(
            shown.values,
            dims=shown.dims,
            coords={"stimulus": shown["stimulus"].values.astype(str)},
            attrs={"kind": str(shown.attrs.get("kind", "array"))},
        )
        return exemplars, pictures


def _pattern(pattern: Any, k: int) -> tuple[str, np.ndarray | None]:
    if isinstance(pattern, str):
        check_option(pattern, ["each", "one-hot", "stretch"], name="pattern", who=WHO)
        if pattern == "one-hot" and k < 2:
            raise InputError(
                f"{WHO}: pattern='one-hot' drives one unit against others and needs at least 2, got 1.",
                code="too-few",
            )
        return pattern, None
    rows = np.atleast_2d(np.asarray(to_numpy(pattern), dtype=np.float64))
    if rows.ndim != 2 or rows.shape[1] != k or not np.isfinite(rows).all():
        raise InputError(
            f"{WHO}: pattern must be 'each', 'one-hot', 'stretch', or finite activations (k,) or (m, k) of the {k} "
            f"units, got shape {np.shape(pattern)}.",
            code="bad-parameter",
        )
    return "vector", rows


def _checks(check: Any, units: list[Unit], pattern: str) -> list[Unit] | None:
    if check is None:
        return None
    found = as_units(check, who=WHO)
    if pattern != "each" or len(found) != len(units):
        raise InputError(
            f"{WHO}: check must be as many units as there are targets, each the partner of one (pattern='each'): "
            f"{len(units)} units and {len(found)} checks, pattern {shorten(pattern)}.",
            code="bad-parameter",
        )
    return found


def _norms(inputs: np.ndarray, space: InputSpace) -> np.ndarray:
    return np.asarray(np.linalg.norm((inputs - space.background).reshape(len(inputs), -1), axis=1))


def _saturated(inputs: np.ndarray, space: InputSpace) -> np.ndarray:
    at = (inputs <= space.low) | (inputs >= space.high)
    share = at.reshape(len(inputs), -1).mean(axis=1)
    return np.where(np.isnan(inputs).reshape(len(inputs), -1).any(axis=1), np.nan, share)


def _late(course: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Share of the rise from start to end that came in the last tenth of the steps (in the steps before the end, as
    the stimulus is, and without moves, both).
    """
    if course.shape[1] < 10:
        return np.full(len(course), np.nan)
    tenth = int(np.searchsorted(at, at[-1] * 0.9 + 1))
    rise = course[:, -1] - course[:, 0]
    gain = course[:, -1] - course[:, min(tenth, course.shape[1] - 1)]
    return np.where(rise > 0, gain / np.where(rise > 0, rise, 1.0), np.nan)
