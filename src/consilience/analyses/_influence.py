"""The verb `influence`: each stimulus left out once, for every pair of systems and every measure."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, collect_cautions, warn
from consilience._core._params import check_number, shorten
from consilience._core._seeds import resolve_seed
from consilience._results import Influence
from consilience.analyses._checks import MeasureLike, check_memory, check_size, resolve_measures
from consilience.analyses._design import Design
from consilience.analyses._inputs import aligned_systems
from consilience.analyses._on_subsets import values_on
from consilience.analyses._words import references_of, settings_of

__all__ = ["influence"]

WHO = "cs.influence"
FEWEST = 6


def influence(
    a: xr.DataArray | Mapping[str, xr.DataArray],
    b: xr.DataArray | Mapping[str, xr.DataArray],
    /,
    measure: MeasureLike | Sequence[MeasureLike] = "rsa",
    *,
    by: str = "stimulus",
    join: Literal["exact", "inner"] = "exact",
    held_out: bool = True,
    threshold: float = 4.0,
    smallest: float = 0.05,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> Influence:
    """How much each stimulus moves the value of each pair of systems: leave one out.

    influence_i = value without stimulus i - value. Measures of pairs keep the ranks and the centring of all
    stimuli (pairs with i get weight zero: one product for all i); held-out scores keep their fits and leave out
    the prediction of i; in-sample alignments and functions of yours are computed anew on n - 1 stimuli.

    z_i = (influence_i - mean of the others) / standard deviation of the others, so that an outlying stimulus does
    not hide itself. A stimulus is flagged where abs z exceeds ``threshold`` and abs influence ``smallest``. The
    standard error of the value is the jackknife's, sqrt((n - 1)/n sum (influence_i - mean)^2); for held-out scores it
    is multiplied by sqrt(2), for the stimuli's part in the fits (`cs.stats.cross_validated_draws`).

    Parameters
    ----------
    a, b, measure, by, join, held_out : see `cs.compare`.
    threshold : of abs z, above 0.   smallest : change of the value that counts, in its units, at least 0.
    rng : seed of the folds of held-out measures.

    Returns
    -------
    Influence : ``.stimuli`` over (measure, a, b, stimulus), ``.data``, ``.flagged()``, ``.plot()``. A warning
        (code ``one-stimulus-rules``) names the pairs of which a flagged stimulus moves the value by more than 0.2.

    Raises
    ------
    InputError : as `cs.compare`; fewer than 6 stimuli.

    References
    ----------
    Cook (1977); Efron & Stein (1981) for the jackknife.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 30, 20))
    >>> x[7], y[7] = 12 * x[7], 12 * y[7]  # one stimulus drives both
    >>> ids = [f"image{i}" for i in range(30)]
    >>> a, b = cs.responses(x, stimulus=ids, system="V1"), cs.responses(y, stimulus=ids, system="IT")
    >>> import functools, warnings
    >>> biased = functools.partial(cs.measures.cka, debiased=False)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     found = cs.influence(a, b, measure=[biased, "rsa"])
    >>> found.flagged()[["measure", "stimulus"]].values.tolist()
    [['cka(debiased=False)', 'image7']]
    """
    threshold = check_number(threshold, name="threshold", who=WHO, low=0.0, high=np.inf)
    smallest = check_number(smallest, name="smallest", who=WHO, low=0.0, high=1e9, closed=True)
    seed = resolve_seed(rng, who=WHO)
    with collect_cautions() as cautions:
        measures = resolve_measures(measure, held_out, who=WHO)
        systems, ids, _, data_references = aligned_systems({"a": a, "b": b}, by=by, join=join, who=WHO)
        n = len(ids)
        check_size(n, measures, who=WHO, fewest=FEWEST)
        check_memory(measures, systems, n, n, 0, who=WHO)
        design = Design.draw(n, seed=seed, n_boot=0, n_perm=0, level=0.95, refit=False, ids=ids)
        kept = np.concatenate([np.ones((1, n), bool), ~np.eye(n, dtype=bool)])
        found = np.stack([values_on(m, systems["a"], systems["b"], kept, design, who=WHO) for m in measures])
        value, moved = found[:, 0], np.moveaxis(found[:, 1:] - found[:, :1], 1, -1)
        z = _studentised(moved)
        flagged = (np.abs(z) > threshold) & (np.abs(moved) > smallest)
        names = {
            "measure": [m.key for m in measures],
            "a": [s.name for s in systems["a"]],
            "b": [s.name for s in systems["b"]],
        }
        _say_what_rules(moved, flagged, value, names, ids)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    dims, refit = ("measure", "a", "b"), False
    most = np.abs(np.nan_to_num(moved)).argmax(axis=-1)
    change = np.take_along_axis(moved, most[..., None], axis=-1)[..., 0]
    centred = moved - moved.mean(axis=-1, keepdims=True)
    scale = np.array([2.0 if m.claims.resample == "predictions" else 1.0 for m in measures])[:, None, None]
    settings = settings_of(measures, systems, ids, by, join, 0, 0, 0.95, held_out, refit, [])
    return Influence(
        data=xr.Dataset(
            {
                "value": (dims, value),
                "se": (dims, np.sqrt(scale * (n - 1) / n * np.sum(centred**2, axis=-1))),
                "most": (dims, ids[most].astype(object)),
                "without_most": (dims, value + change),
                "n_flagged": (dims, flagged.sum(axis=-1)),
                "n_stimuli": (dims, np.full(value.shape, n)),
            },
            coords=names,
        ),
        stimuli=xr.Dataset(
            {
                "influence": ((*dims, "stimulus"), moved),
                "z": ((*dims, "stimulus"), z),
                "flagged": ((*dims, "stimulus"), flagged),
            },
            coords={**names, "stimulus": ids},
        ),
        settings=settings | {"verb": "influence", "threshold": threshold, "smallest": smallest},
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(
            dict.fromkeys(
                [
                    "cook1977detection",
                    "efron1981jackknife",
                    *references_of(measures, systems, 0, 0, data_references),
                ]
            )
        ),
        methods=(
            f"Each of {n} stimuli was left out in turn; influence is the value without it minus the value.",
            *(m.claims.method for m in measures),
        ),
    )


def _studentised(moved: np.ndarray) -> np.ndarray:
    """(..., n): distance of each entry from the mean of the others, in standard deviations of the others."""
    n = moved.shape[-1]
    total, squares = moved.sum(axis=-1, keepdims=True), np.sum(moved**2, axis=-1, keepdims=True)
    mean = (total - moved) / (n - 1)
    variance = np.maximum((squares - moved**2) / (n - 1) - mean**2, 0.0) * (n - 1) / (n - 2)
    # where the others do not differ beyond rounding, nothing can be said
    still = variance <= 1e-20 * (squares / n + 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(still, 0.0, (moved - mean) / np.sqrt(variance))


def _say_what_rules(
    moved: np.ndarray, flagged: np.ndarray, value: np.ndarray, names: Mapping[str, list[str]], ids: np.ndarray
) -> None:
    large = np.where(flagged, np.abs(moved), 0.0)
    for m, key in enumerate(names["measure"]):
        top = large[m].max(axis=-1)
        ruled = np.argwhere(top > 0.2)
        if not len(ruled):
            continue
        i, j = ruled[np.argmax([top[k, l] for k, l in ruled])]
        s = int(large[m, i, j].argmax())
        warn(
            "one-stimulus-rules",
            f"{key}: {shorten(names['a'][i], 16)} with {shorten(names['b'][j], 16)} {value[m, i, j]:.2f}, without "
            f"{shorten(ids[s].item(), 16)} {value[m, i, j] + moved[m, i, j, s]:.2f}; so {len(ruled)} of "
            f"{top.size} pairs.",
            "Look at that stimulus (an artefact, another scale?); a measure of ranks is moved less.",
        )
