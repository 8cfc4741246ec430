"""The verb `deciding_stimuli`: the difference between two systems, stimulus by stimulus."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions
from consilience._core._params import check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience._results import DecidingStimuli
from consilience.analyses._by_pairs import PairsBlock
from consilience.analyses._checks import MeasureLike, check_memory, check_size, resolve_measures
from consilience.analyses._design import Design
from consilience.analyses._inputs import System, aligned_systems
from consilience.analyses._on_subsets import values_on
from consilience.analyses._words import references_of, settings_of
from consilience.measures import Measure, PairParts
from consilience.stats import adjust, half_splits, t_test
from consilience.stats._contributions import held_out_shares, row_sums, row_tests
from consilience.stats._pairs import square

__all__ = ["deciding_stimuli"]

WHO = "cs.deciding_stimuli"
FEWEST, SPLITS = 8, 20
EQUAL = 1e-12  # a difference of values that is rounding


def deciding_stimuli(
    first: xr.DataArray | Mapping[str, xr.DataArray],
    second: xr.DataArray | Mapping[str, xr.DataArray],
    b: xr.DataArray | Mapping[str, xr.DataArray],
    /,
    measure: MeasureLike = "rsa",
    *,
    by: str = "stimulus",
    join: Literal["exact", "inner"] = "exact",
    held_out: bool = True,
    correction: Literal["holm", "fdr", "none"] = "holm",
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> DecidingStimuli:
    """Which stimuli decide whether the first or the second system is more like b.

    Whether the two differ at all comes first: ``data`` has the difference with interval and two-sided p over stimuli
    (jackknife, t with n - 1 degrees of freedom). Where it is not told from 0, the rest describes these responses only.

    For a measure that is a cosine over pairs of stimuli (rsa, cka, ...) the difference of values falls apart
    exactly: difference = sum_i c_i, c_i = 1/2 sum_j (a1_ij - a2_ij) b_ij over pairs at norm 1 (a diagonal entry
    counts whole). The interval of c_i and its two-sided p (against 0) are t, over the n - 1 other stimuli: they
    hold for this stimulus among other stimuli, the norms and these responses taken as given. Noise in the responses
    to stimulus i is in all of its pairs and thus in c_i: two equal systems with noise of their own mostly have
    stimuli of p < 0.05 (in 93 % of sets with RSA, in all with CKA; 40 stimuli, 6 units, half of the variance noise).
    What belongs to the stimulus comes again with other trials: with repeats, ask twice, with half of the trials each.
    For other measures c_i is the jackknife's pseudo-value / n, without interval or p.

    ``curve`` asks how few stimuli hold the verdict. Removed one after the other are those that speak most for
    the system ahead: this is a bound (the worst stimuli, seen with the same data), not a test. Its
    ``held_out_share`` is no such bound: stimuli are chosen by their pairs with one half of the others and scored
    by their pairs with the other half; k / n is what any k would carry.

    Parameters
    ----------
    first, second : two systems, each responses or RDM data, or a mapping with one entry (its name is used). Where both
        have one name, as two layers of one network, they are told apart by ``attrs["layer"]``, else as first and
        second.
    b : what both are compared with.   measure, by, join, held_out : see `cs.compare`; one measure.
    correction : of p over stimuli: "holm" (any false one), "fdr" (Benjamini-Hochberg), or "none".
    level : of the intervals, each for itself.   rng : seed of the halves, and of folds of held-out measures.

    Returns
    -------
    DecidingStimuli : ``.stimuli``, ``.curve``, ``.data``, ``.to_frame()``, ``.plot()``

    Raises
    ------
    InputError : as `cs.compare`; fewer than 8 stimuli; a side with more than one system.

    References
    ----------
    Efron & Stein (1981); Holm (1979); Benjamini & Hochberg (1995).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(30, 40))
    >>> x = y.copy()
    >>> x[:3] = rng.normal(size=(3, 40))  # a copy that is wrong about three stimuli
    >>> ids = [f"image{i:02d}" for i in range(30)]
    >>> copy, bad, brain = (
    ...     cs.responses(v, stimulus=ids, system=name)
    ...     for v, name in ((y, "copy"), (x, "bad copy"), (y + 0.3 * rng.normal(size=(30, 40)), "brain"))
    ... )
    >>> sorted(cs.deciding_stimuli(copy, bad, brain).to_frame()["stimulus"][:3])
    ['image00', 'image01', 'image02']
    """
    check_option(correction, ["holm", "fdr", "none"], name="correction", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    with collect_cautions() as cautions:
        measures = resolve_measures([measure], held_out, who=WHO)
        sides = {"first": first, "second": second, "b": b}
        systems, ids, _, data_references = aligned_systems(sides, by=by, join=join, who=WHO)
        for side, found in systems.items():
            if len(found) != 1:
                raise InputError(
                    f"{WHO}: {side} must be one system, got {len(found)}; choose one by its name.",
                    code="not-one-pair",
                )
        n, one = len(ids), measures[0]
        check_size(n, measures, who=WHO, fewest=FEWEST)
        check_memory(measures, systems, n, n, 0, who=WHO)
        design = Design.draw(n, seed=seed, n_boot=0, n_perm=0, level=level, refit=False, ids=ids)
        table = _decide(one, systems, design, correction)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    dropped, refit = len(table["curve"]) - 1, False
    names = _names(sides, systems)
    models = {"a": [*systems["first"], *systems["second"]], "b": systems["b"]}
    settings = settings_of(measures, models, ids, by, join, 0, 0, level, held_out, refit, [])
    return DecidingStimuli(
        data=xr.Dataset({name: ((), float(value)) for name, value in table["summary"].items()}),
        stimuli=xr.Dataset(
            {name: ("stimulus", values) for name, values in table["stimuli"].items()},
            coords={"stimulus": ids},
        ),
        curve=xr.Dataset(
            {"difference": ("removed", table["curve"]), "held_out_share": ("removed", table["share"])},
            coords={"removed": np.arange(dropped + 1)},
        ),
        settings=settings
        | {"verb": "deciding_stimuli", "measure": one.key, "correction": correction}
        | {"first": names["first"], "second": names["second"], "b": names["b"]},
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(
            dict.fromkeys(["efron1981jackknife", *references_of(measures, systems, 0, 0, data_references)])
        ),
        methods=(
            f"The difference between two systems was divided over {n} stimuli"
            + (" by the pairs they are part of." if table["exact"] else " by jackknife pseudo-values."),
            one.claims.method,
        ),
    )


def _names(sides: Mapping[str, Any], systems: Mapping[str, list[System]]) -> dict[str, str]:
    """What the three are called: two of one name (layers of one network, say) by their layer, else by their place."""
    names = {side: found[0].name for side, found in systems.items()}
    if names["first"] == names["second"]:
        given = (next(iter(s.values())) if isinstance(s, Mapping) else s for s in sides.values())
        layers = [str(data.attrs.get("layer") or "") for data in given][:2]
        told = layers if all(layers) and layers[0] != layers[1] else ["first", "second"]
        names.update(zip(("first", "second"), told))
    return names


def _decide(
    one: Measure,
    systems: Mapping[str, list[System]],
    design: Design,
    correction: Literal["holm", "fdr", "none"],
) -> dict[str, Any]:
    """Contributions, their tests, and the curve; ``systems`` has first, second and b, one system each."""
    n = design.n
    models, target = [*systems["first"], *systems["second"]], systems["b"]

    def values(kept: np.ndarray) -> np.ndarray:
        return values_on(one, models, target, kept, design, who=WHO)[..., 0]

    both = values(np.concatenate([np.ones((1, n), bool), ~np.eye(n, dtype=bool)]))
    point, without = both[0], both[1:]
    change = (without[:, 0] - without[:, 1]) - (point[0] - point[1])
    blank = np.full(n, np.nan)
    exact = isinstance(one.parts, PairParts) and type(one.parts).combine is PairParts.combine
    if exact:
        terms = _terms(one, models, target, design)
        each = row_sums(terms)
        rows: np.ndarray | None = terms[0] - terms[1]
        low, high, p = row_tests(terms[0] - terms[1], design.level)
        corrected = adjust(p, correction)
    else:
        each = (n * point[:, None] - (n - 1) * without.T) / n
        rows = None
        low = high = p = corrected = blank
    contribution = each[0] - each[1]
    sign = 1.0 if point[0] >= point[1] else -1.0
    most = min(n // 2, n - max(one.claims.min_stimuli, 4))
    order = np.argsort(-sign * contribution, kind="stable")[:most]
    kept = np.ones((most + 1, n), bool)
    for k, i in enumerate(order):
        kept[k + 1 :, i] = False
    after = values(kept)
    curve = after[:, 0] - after[:, 1]
    scale = 2.0 if one.claims.resample == "predictions" else 1.0  # as `cross_validated_draws`
    variance = scale * (n - 1) / n * np.sum((change - change.mean()) ** 2)
    equal = abs(point[0] - point[1]) <= EQUAL
    test = t_test(
        0.0 if equal else point[0] - point[1], 0.0 if equal else variance, df=n - 1, level=design.level
    )
    flips = np.empty(0) if equal else np.flatnonzero(sign * curve[1:] <= 0)
    share = np.full(most + 1, np.nan)
    if rows is not None:
        halves = half_splits(n, SPLITS, design.seed.stream("halves"))
        share = held_out_shares(rows * sign, halves)[: most + 1]
    return {
        "exact": exact,
        "curve": curve,
        "share": share,
        "stimuli": {
            "contribution": contribution,
            "first": each[0],
            "second": each[1],
            "ci_low": low,
            "ci_high": high,
            "p": p,
            "p_corrected": corrected,
        },
        "summary": {
            "value_first": point[0],
            "value_second": point[1],
            "difference": point[0] - point[1],
            "se": np.sqrt(variance),
            "ci_low": test.low,
            "ci_high": test.high,
            "p": test.p,
            "n_to_flip": flips[0] + 1 if len(flips) else np.nan,
            "n_stimuli": n,
            "n_deciding": np.sum(corrected < 0.05),
        },
    }


def _terms(one: Measure, models: list[System], target: list[System], design: Design) -> np.ndarray:
    """(2, n, n): what each ordered pair of stimuli adds to the two values, means over subjects."""
    block = PairsBlock(one, models, target, design, None)
    out = np.zeros((2, design.n, design.n))
    for rows, _, fa, fb in block.groups():
        for k in rows:
            a = one.parts.normalise(block.vectors(models[k], fb))
            b = one.parts.normalise(block.vectors(target[0], fa))
            out[k] = _spread(a.mean(axis=0) * b.mean(axis=0), design.n, one.parts)
    return out


def _spread(vector: np.ndarray, n: int, parts: PairParts) -> np.ndarray:
    """A vector over pairs as a matrix whose sum is that of the vector: half of a pair's term on either side."""
    channels = np.split(vector, parts.channels)
    matrix = sum(square(v[None], n, diagonal=parts.diagonal)[0] for v in channels)
    out = 0.5 * np.asarray(matrix)
    out[np.diag_indices(n)] *= 2.0
    return out
