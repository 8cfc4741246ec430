"""The verb `robustness`: noise added to a layer, and what it costs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience._results._robustness import Robustness
from consilience._stimuli import check_stimuli
from consilience.analyses._evaluate_outputs import Score, make_score, read_labels
from consilience.analyses._robustness_tables import robustness_tables
from consilience.networks._layer_noise import KINDS, noise_scores
from consilience.networks._network import Network, as_network
from consilience.networks._patching import Interventions, places_of
from consilience.networks._progress import announce_long, progress_bar
from consilience.stats._noise_curves import mismatched_mean

__all__ = ["check_levels", "robustness"]

WHO = "cs.robustness"
_LEVELS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)


def robustness(
    net: Network | Any,
    layers: str | Sequence[str],
    /,
    *,
    stimuli: xr.DataArray | Any,
    target: Any = None,
    evaluate: Any = "accuracy",
    noise: Literal["gaussian", "signal-dependent", "dropout"] | Callable[..., Any] = "gaussian",
    scale: Literal["unit", "layer"] = "unit",
    levels: Sequence[float] | None = None,
    n_draws: int = 10,
    chance: float | None = None,
    n_boot: int = 2000,
    n_perm: int = 2000,
    level: float = 0.95,
    output: str = "output",
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> Robustness:
    """What noise in a layer costs: the score of the network for each layer and strength of noise.

    With x the output of the layer, s_u the standard deviation of unit u over the stimuli, e ~ N(0, 1) of its own for
    every stimulus, unit and draw, and the level a,

        "gaussian"          x' = x + a s_u e
        "signal-dependent"  x' = x + a s_u sqrt(|x| / mean|x_u|) e     variance grows with size, as of counts; on
                                                                       average as strong as the one above
        "dropout"           x' = x b / (1 - a), b = 1 with probability 1 - a, else 0

    so that a level means the same in every layer: a = 1 is noise as large as the signal of each unit. With
    ``scale="layer"`` all units of a layer get noise of one size, the root mean square of s_u: small units drown first,
    which asks how the layer's code as a whole stands, not each unit for itself. What follows a layer runs as ever, so
    noise can also be averaged away (many units that say the same) or grow.

    Scores are means over stimuli of means over draws. As each stimulus has noise of its own, draws are nested in
    stimuli, and intervals over stimuli hold both. half_level: the level at which half of what the intact network has
    above ``chance`` is lost, on the curve made monotone; infinite where that is beyond the levels, NaN where the
    intact score is not above chance with certainty. area: the mean score
    over the range of levels. Not to be confused with robustness to noise in the stimulus, or to lesions (`cs.ablate`).

    For a linear readout with margin m of the target's output and one other, accuracy is Phi(m / (a sqrt(sum_u (w_u
    s_u)^2))), w the difference of their weights.

    Parameters
    ----------
    net : a torch module, or `cs.Network`.   layers : labels as in `cs.record`.
    stimuli : n stimuli; they also give s_u.   target : labels (n,), or the name of a label of the stimuli.
    evaluate : "accuracy", "loss", "probability", or f(outputs (n, ...)[, target]) -> (n,), higher = better.
    noise : or f(activations (n, *shape), level, rng) -> array of that shape.
    levels : from 0, rising (0 is added). Default: 0, 1/4, 1/2, 1, 2, 4; of dropout shares 0 ... 0.9.
    n_draws : of noise, for each stimulus, the same for all levels. Each level of each draw is a pass over the stimuli;
        what all of them will cost is said before a run of more than 5 s.
    chance : score of a network that knows nothing of the stimulus. Default: for accuracy and probability the score of
        the intact outputs with the targets of other stimuli; else unknown, and no half_level.
    n_boot : draws over stimuli for half_level.   n_perm : flips for p of differences.

    Returns
    -------
    Robustness : ``.data`` (layer, level), ``.layers``, ``.differences``, ``.to_frame()``, ``.plot()``

    Raises
    ------
    InputError : a layer whose hook never fires, levels that do not rise, a score that is not per stimulus.
    ConsilienceWarning ``at-chance`` : the interval of the intact score holds chance, so there is no half_level.

    References
    ----------
    Morcos et al. (2018); Korn & Graubard (1998), intervals of accuracies.

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> module = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(2, 2, bias=False))
    >>> with torch.no_grad():
    ...     _ = module[1].weight.copy_(torch.eye(2))
    >>> x = np.tile(np.eye(2), (50, 1)) * 2
    >>> data = cs.stimuli(x, ids=[f"s{i}" for i in range(100)])
    >>> found = cs.robustness(module, "0", stimuli=data, target=x.argmax(1), n_draws=20, rng=0)
    >>> found.data["value"].values.round(1).tolist()  # in truth 1, then Phi(sqrt(2) / a) at level a
    [[1.0, 1.0, 1.0, 0.9, 0.7, 0.6]]
    """
    seed = resolve_seed(rng, who=WHO)
    net = as_network(net, who=WHO)
    labels = [layers] if isinstance(layers, str) else list(layers)
    if not callable(noise):
        check_option(noise, KINDS, name="noise", who=WHO)
    check_option(scale, ["unit", "layer"], name="scale", who=WHO)
    grid = check_levels(levels, noise)
    counts = {
        "n_draws": check_count(n_draws, name="n_draws", who=WHO, minimum=1),
        "n_boot": check_count(n_boot, name="n_boot", who=WHO, minimum=1),
        "n_perm": check_count(n_perm, name="n_perm", who=WHO),
    }
    level = check_number(level, name="level", who=WHO, low=0, high=1)
    if chance is not None:
        chance = check_number(chance, name="chance", who=WHO)
    if batch_size is not None:
        check_count(batch_size, name="batch_size", who=WHO, minimum=1)
    with collect_cautions() as cautions:
        data = check_stimuli(stimuli, who=WHO)
        n = int(data.shape[0])
        if n < 2:
            raise InputError(
                f"{WHO}: at least 2 stimuli are needed for an interval, got {n}.", code="too-few"
            )
        known = read_labels(data, target, who=WHO)
        places = places_of(net, labels, data, device=device, who=WHO)
        passes = len(labels) * counts["n_draws"] * (len(grid) - 1)
        with (
            Interventions(
                net, data, places, batch_size=batch_size, device=device, output=output, who=WHO
            ) as engine,
            progress_bar(f"Noise in {net.name}", passes * n, progress) as advance,
        ):
            start = time.perf_counter()
            intact = engine.outputs(n)
            seconds = passes * (time.perf_counter() - start)
            score = make_score(evaluate, known, intact, who=WHO)
            if not score.per_stimulus:
                raise InputError(
                    f"{WHO}: evaluate must give one number for each stimulus, (n,), not one for all of them.",
                    code="bad-evaluate",
                )
            announce_long(WHO, f"{passes:,} passes over {n:,} stimuli", seconds, progress)
            if chance is None:
                chance = _chance(score, known, intact, evaluate)
            scores, spreads = noise_scores(
                engine,
                n,
                grid,
                noise,
                scale,
                counts["n_draws"],
                score.f,
                int(seed.stream("noise").integers(2**62)),
                advance,
            )
        own = np.asarray(score(intact, np.arange(n)), dtype=np.float64)
        scores[:, 0] = own
        tables = robustness_tables(
            scores,
            grid,
            labels,
            spreads,
            sign=score.sign,
            chance=chance,
            proportion=score.name == "accuracy",
            seed=seed,
            n_boot=counts["n_boot"],
            n_perm=counts["n_perm"],
            level=level,
        )
        above = tables["data"].attrs.pop("above_chance")
        if chance is not None and not above:
            low, high = (float(tables["data"][end][0, 0]) for end in ("ci_low", "ci_high"))
            warn(
                "at-chance",
                f"The intact network scores {own.mean():.3g} ({score.name}; {100 * level:g} % interval {low:.3g} to "
                f"{high:.3g}), and chance is {chance:.3g}: there is nothing that noise can halve, and no half level.",
                "Check target= (the number of the output of each stimulus) and preprocess=, or show more stimuli.",
            )
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    kind = noise if isinstance(noise, str) else getattr(noise, "__name__", "function")
    words = {
        "gaussian": "Gaussian noise",
        "signal-dependent": "Gaussian noise whose variance grows with activation",
        "dropout": "random silencing of units",
    }.get(kind, "noise")
    return Robustness(
        data=tables["data"],
        layers=tables["layers"],
        differences=tables["differences"],
        settings={
            "verb": "robustness",
            "system": net.name,
            "score": score.name,
            "sign": score.sign,
            "noise": kind,
            "scale": scale,
            "chance": chance,
            "intact": float(own.mean()),
            "n_stimuli": n,
            **counts,
            "level": level,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=("morcos2018importance", "korn1998confidence", *net.references),
        methods=(
            f"{words[:1].upper()}{words[1:]} was added to the outputs of {len(labels)} layers, at {len(grid) - 1} "
            f"levels in units of {_unit(kind, scale)}, in {counts['n_draws']} draws for each of {n} stimuli.",
            "Intervals are over stimuli, of which each has draws of its own; those of half levels by bootstrap.",
        ),
    )


def _unit(kind: str, scale: str) -> str:
    if kind == "dropout":
        return "the share of units"
    return (
        "each unit's own standard deviation" if scale == "unit" else "the layer's root mean square deviation"
    )


def check_levels(levels: Any, noise: Any) -> np.ndarray:
    """(n,) levels from 0, rising; None: those of the noise."""
    given = (_SHARES if noise == "dropout" else _LEVELS) if levels is None else levels
    try:
        grid = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        grid = np.zeros((0, 0))
    top = 1.0 if isinstance(noise, str) and noise == "dropout" else np.inf
    good = grid.ndim == 1 and grid.size > 0 and bool(np.isfinite(grid).all())
    if not good or grid.min() < 0 or grid.max() >= top or (np.diff(grid) <= 0).any() or grid.max() == 0:
        raise InputError(
            f"{WHO}: levels must be numbers that rise, from 0{' and below 1 for dropout' if top == 1 else ''}, with "
            f"one above 0; got {shorten(given)}.",
            code="bad-parameter",
        )
    return grid if grid[0] == 0 else np.concatenate([[0.0], grid])


def _chance(score: Score, known: Any, intact: np.ndarray, evaluate: Any) -> float | None:
    """The mean score of the intact outputs with the targets of the other stimuli."""
    if evaluate not in ("accuracy", "probability") or known is None:
        return None
    return mismatched_mean(lambda rows: np.asarray(score(intact, rows)), len(intact))
