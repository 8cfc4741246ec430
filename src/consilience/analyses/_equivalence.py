"""The verb `equivalence`: is a model as close to an animal as another animal is?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions
from consilience._core._params import check_number, shorten
from consilience._responses import is_rdm_data
from consilience._responses._check import refuse_result
from consilience._results import Equivalence
from consilience.analyses._checks import MeasureLike
from consilience.analyses._compare import compare
from consilience.analyses._contrasts import variance_of
from consilience.stats import equivalence_p, jackknife_variance, t_test
from consilience.stats._crossed import crossed_degrees

__all__ = ["equivalence"]

_WHO = "cs.equivalence"
FEWEST_ANIMALS = 3
_BESIDE = ("ceiling-missing", "ceiling-too-low", "best-not-chosen")  # of what this verb does not use


def equivalence(
    models: xr.DataArray | Mapping[str, xr.DataArray],
    animals: xr.DataArray | Mapping[str, xr.DataArray],
    /,
    measure: MeasureLike = "rsa",
    *,
    margin: float,
    join: Literal["exact", "inner"] = "exact",
    n_boot: int = 1000,
    level: float = 0.95,
    held_out: bool = True,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Equivalence:
    """Is a model as close to an animal as another animal is?

    For each animal k as target: value(model, k) minus the mean over the other animals j of value(j, k), and the mean
    of this over k. Model and animals stand on the same side of the measure. All values share their draws over
    stimuli, so that the difference is paired; its variance is that of the measure's rule (for measures of pairs of
    stimuli such as RSA and CKA the jackknife over stimuli), and intervals and tests are Student's t. They hold for new
    stimuli and these animals. In simulations (RSA, 40 stimuli, 3 animals) a model that was worse by just the margin was
    called equivalent at 5 % in 7 of 200 data sets, and 98 % of the intervals covered.

    With at least 3 animals the mean has an interval and tests for new animals too (``ci_both_*``, ``p_*_both``). The
    jackknife over animals, in which each is target and one of the others, less what stimuli explain of it, is added
    to the variance over stimuli; degrees of freedom are Satterthwaite's. Where animals differed much (40 stimuli,
    3, 4, 6 and 10 animals, 100 to 200 data sets each) these intervals covered 93 to 98 %, those for these animals 69 to
    85 %; where they differed little, 95 to 100 % (80 each; with 3 or 4 animals they are wide).

    An animal of few trials is a noisy target for model and animals alike, but the animals' own noise lowers their
    value too, and the model has none: with noisy data "as close" is easier to reach than with good ones.

    Parameters
    ----------
    models : responses or RDM data, or {name: either}.
    animals : {name: responses or RDM data}, at least 2, or RDM data with subjects.
    measure : as in `compare`, with an interval.
    margin : > 0, the difference that does not matter, in units of the measure.
    join : as in `compare`.
    n_boot : resamples.   level : of the intervals.   rng : seed; None draws one and records it.
    held_out : as in `compare`.

    Returns
    -------
    Equivalence : ``.data`` (model, target), ``.to_frame()``, ``.plot()``.

    Raises
    ------
    InputError : fewer than 2 animals, a measure without an interval, and what `compare` refuses.

    References
    ----------
    Schuirmann (1987) for two one-sided tests.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x, ids = rng.normal(size=(40, 10)), [f"i{k}" for k in range(40)]
    >>> one, two, model = (cs.responses(x + rng.normal(size=x.shape), stimulus=ids) for _ in range(3))
    >>> found = cs.equivalence(model, {"a": one, "b": two}, "cka", margin=0.3, n_boot=200, rng=0)
    >>> found.data["p_equivalent"].sel(target="all").values < 0.05
    array([ True])
    """
    margin = check_number(margin, name="margin", who=_WHO, low=0.0)
    for side, given in (("models", models), ("animals", animals)):
        refuse_result(given, who=_WHO, name=side)
    named = models if isinstance(models, Mapping) else {_name(models): models}
    people = _animals(animals)
    clash = sorted(set(map(str, named)) & set(people))
    if clash or "all" in people:
        raise InputError(
            f"{_WHO}: models and animals need names of their own, and no animal is called 'all'; got "
            f"{shorten(clash or ['all'])}.",
            code="bad-parameter",
        )
    with collect_cautions() as cautions, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConsilienceWarning)
        found = compare(
            {**named, **people},
            people,
            measure,
            join=join,
            n_boot=n_boot,
            n_perm=0,
            level=level,
            held_out=held_out,
            rng=rng,
        )
        cautions.extend(c for c in found.warnings if c not in cautions and c.code not in _BESIDE)
    if found.draws is None or found.data.sizes["measure"] != 1:
        raise InputError(
            f"{_WHO}: one measure with an interval is needed, and n_boot > 0; got {shorten(measure)}.",
            code="no-draws",
        )
    key = str(found.data["measure"].values[0])
    value = found.data["value"].sel(measure=key).transpose("a", "b").values
    draws = found.draws.sel(measure=key).transpose("draw", "a", "b").values
    n = int(found.data["n_stimuli"].values.flat[0])
    count, k = len(named), len(people)
    rule = found.settings["measures"][0]["resample"]
    model, animal = _both(value[None], count, k)
    model_draws, animal_draws = _both(draws, count, k)
    difference = (model - animal)[0]
    left_out = None
    if found.leave_one_out is not None:
        left_out = found.leave_one_out.sel(measure=key).transpose("stimulus", "a", "b").values
        one, two = _both(left_out, count, k)
        variance = jackknife_variance(one - two)  # of pairs: the jackknife, which errs on the wide side
    else:
        variance = variance_of(rule, model_draws - animal_draws, None, n)
    test = t_test(difference, variance, df=n - 1, level=level)
    of_both, df_both = np.full(difference.shape, np.nan), np.ones(difference.shape)
    if k >= FEWEST_ANIMALS:
        of_animals, shared = _over_animals(value, draws, left_out, count, rule, n)
        own = np.maximum(of_animals - shared, 0.0)
        of_both[:, -1] = variance[:, -1] + own
        df_both[:, -1] = crossed_degrees(
            stimuli=variance[:, -1], subjects=own, both=of_both[:, -1], n_stimuli=n, n_subjects=k
        )
    both = t_test(difference, of_both, df=df_both, level=level)
    columns = {
        "value_model": model[0],
        "value_animals": np.broadcast_to(animal[0], difference.shape),
        "difference": difference,
        "ci_low": test.low,
        "ci_high": test.high,
        "p_equivalent": equivalence_p(difference, variance, margin, df=n - 1),
        "p_below": t_test(difference, variance, df=n - 1, side="less").p,
        "p_not_inferior": t_test(difference + margin, variance, df=n - 1, side="greater").p,
        "ci_both_low": both.low,
        "ci_both_high": both.high,
        "p_equivalent_both": equivalence_p(difference, of_both, margin, df=df_both),
        "p_below_both": t_test(difference, of_both, df=df_both, side="less").p,
        "p_not_inferior_both": t_test(difference + margin, of_both, df=df_both, side="greater").p,
    }
    result = Equivalence(
        data=xr.Dataset(
            {name: (("model", "target"), v) for name, v in columns.items()},
            coords={
                "model": np.array(list(map(str, named)), dtype=object),
                "target": np.array([*people, "all"], dtype=object),
            },
        ),
        settings={
            **found.settings,
            "verb": "equivalence",
            "measure": key,
            "margin": margin,
            "n_animals": k,
        },
        seed=found.seed,
        warnings=tuple(cautions),
        references=(*found.references, "schuirmann1987comparison"),
        methods=(
            *found.methods[:-1],
            f"Each model's value with an animal was compared with the mean value of the {k - 1} other "
            f"animal{'s' * (k > 2)}, paired over stimuli; equivalence within {margin:g} by two one-sided t tests"
            f"{', for these animals and, with the jackknife over animals, for new ones' * (k >= FEWEST_ANIMALS)}.",
        ),
    )
    for caution in result.warnings:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return result


def _name(data: Any) -> str:
    return str(getattr(data, "attrs", {}).get("system") or "model")


def _animals(animals: Any) -> dict[str, xr.DataArray]:
    if isinstance(animals, Mapping):
        people = {str(name): data for name, data in animals.items()}
    elif is_rdm_data(animals) and "subject" in animals.coords:
        names = list(dict.fromkeys(animals["subject"].values.tolist()))
        people = {
            str(name): animals.isel(rdm=np.flatnonzero(animals["subject"].values == name)) for name in names
        }
    else:
        raise InputError(
            f"{_WHO}: animals must be {{name: responses or RDM data}}, or RDM data with subjects, got "
            f"{shorten(animals, 60)}.",
            code="bad-parameter",
        )
    if len(people) < 2:
        raise InputError(f"{_WHO}: at least 2 animals are needed, got {len(people)}.", code="too-few")
    return people


def _over_animals(
    value: np.ndarray, draws: np.ndarray, left_out: np.ndarray | None, count: int, rule: str, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Variance (count,) of the mean difference over animals, and the part of it that is of stimuli.

    Each animal is target and one of the others: its pseudo-value is k times the mean less k - 1 times that without it.
    """
    k = value.shape[1]

    def pseudo(values: np.ndarray) -> np.ndarray:
        """(m, count, k), about their mean."""
        less = []
        for t in range(k):
            kept = np.delete(np.arange(k), t)
            model, animal = _both(values[:, np.r_[np.arange(count), count + kept]][:, :, kept], count, k - 1)
            less.append((model - animal)[..., -1])
        without = np.stack(less, axis=-1)
        return np.asarray((1 - k) * (without - without.mean(axis=-1, keepdims=True)))

    size = k * (k - 1)
    of_animals = (pseudo(value[None])[0] ** 2).sum(axis=-1) / size
    of_stimuli = variance_of(rule, pseudo(draws), None if left_out is None else pseudo(left_out), n)
    return of_animals, of_stimuli.sum(axis=-1) / size


def _both(values: np.ndarray, count: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """From values (m, count + k, k) of models and animals with animals: (m, count, k + 1), (m, 1, k + 1), the mean
    over targets last.
    """
    model, animal = values[:, :count], values[:, count:]
    others = np.where(np.eye(k, dtype=bool), 0.0, animal).sum(axis=1, keepdims=True) / (k - 1)
    return tuple(np.concatenate([v, v.mean(axis=2, keepdims=True)], axis=2) for v in (model, others))  # type: ignore[return-value]
