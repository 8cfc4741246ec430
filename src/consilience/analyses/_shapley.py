"""The verb `shapley`: what each part of a network, each region of a lesion study or each player of a game adds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses._check import refuse_result
from consilience._results import Shapley
from consilience.analyses._shapley_game import WHO, Game, function_game
from consilience.analyses._shapley_network import play_network
from consilience.analyses._shapley_run import Played, play
from consilience.analyses._shapley_table import play_table
from consilience.networks import Network
from consilience.networks._network import is_module

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["shapley"]

REFERENCES = ("shapley1953value", "castro2009polynomial", "mitchell2022sampling")


def shapley(
    game: Network | Callable[[np.ndarray], Any] | pd.DataFrame | np.ndarray | Any,
    layer: str | Sequence[str] | None = None,
    /,
    *,
    stimuli: xr.DataArray | Any = None,
    target: Any = None,
    evaluate: Literal["accuracy", "loss", "probability"] | Callable[..., Any] = "accuracy",
    parts: Any = None,
    parts_of: Literal["units", "channels"] = "units",
    how: Any = "mean",
    reference: xr.DataArray | Any = None,
    n_heads: int | None = None,
    times: Any = None,
    output: str = "output",
    names: Sequence[Any] | None = None,
    n_players: int | None = None,
    scores: Any = None,
    groups: Any = None,
    exact: bool | None = None,
    precision: float | None = None,
    budget: int = 20_000,
    interactions: int = 0,
    level: float = 0.95,
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | Seed | None = 0,
) -> Shapley:
    """What each player adds to a score, over all orders in which the players could come: the Shapley value.

    phi_i = mean over orders of v(those before i, and i) - v(those before i); the values add up to v(all) - v(nobody).
    Removing one part says little where another stands in for it: both then look useless. Shapley values share out what
    they do together. v of a coalition is the mean score over stimuli with all other parts lesioned, so each stimulus,
    and each class, has Shapley values of its own, whose mean they are.

    All 2^P coalitions are played where P <= 14 and ``budget`` holds them. Else random orders are drawn in independent
    sets of four (an order, the same with its halves exchanged, and both backwards), which leaves each value unbiased;
    after 8, 16, 32 ... sets sampling stops where the interval over orders of every player is within ``precision``.
    A contribution that shows in few orders only may not have been seen by then. There is no truncation of orders, which
    would save coalitions and bias the values.

    A table of real lesions holds few coalitions. The others are filled in by regression of the scores on which regions
    are intact and on products of two of them, the products under a ridge penalty chosen by leaving out animals;
    penalty infinity (no products) is among the choices. The Shapley values of that fit have a closed form.

    Not to be confused with what removing a part alone costs (``single``), nor with SHAP values, which explain a
    prediction by the inputs.

    Parameters
    ----------
    game : one of
        - a Network, or a torch module: the parts of ``layer`` are the players, absent ones lesioned as by `cs.ablate`;
        - a function v(present (m, P) bool) -> (m,), or (m, n) with a value for each of n stimuli;
        - lesions (animals, regions), 0 intact to 1 destroyed: a DataFrame, or an array with ``names=``.
    layer, stimuli, target, evaluate, parts, parts_of, how, reference, n_heads, times, output : of a Network, as in
        `cs.ablate`; without stimuli ``evaluate`` is a function f(net) -> number that runs the network itself, once
        for each coalition. Losses are turned round, so that a positive value is always a part that is needed.
    names, n_players : players of a function, regions of an array.
    scores : of a table: (animals,) or the name of its column; higher = better.   groups : of a table: (rows,) or the
        name of a column, which rows are of one animal.
    exact : play all coalitions (True, up to 20 players; of resampled values and noise given one draw of them), or never
        (False).
    precision : half of the interval over orders, in units of the score. Default: a fiftieth of v(all) - v(nobody),
        or of the largest change that a single player makes, if that is larger.
    budget : most coalitions that are played; what they will cost is said before a run of more than 5 s.
    interactions : k: also all pairs of the k players of largest absolute value (64 sets of 8 coalitions each where
        not exact). Of a table: any number above 0 gives all pairs, without a penalty.
    level : of intervals.   batch_size, device : of the forward passes.   progress : False: nothing is printed.
    rng : seed.

    Returns
    -------
    Shapley : ``.value``, ``.data``, ``.interactions``, ``.total``, ``.to_frame()``, ``.plot()``

    Raises
    ------
    InputError : ``small-budget``; ``bad-game``, a function that does not return a number for each coalition;
        ``hook-not-fired``; of tables: ``never-lesioned``, ``confounded-lesions`` (regions always lesioned together),
        ``too-few`` animals.
    ConsilienceWarning ``precision-not-reached`` ; ``lesion-without-effect`` : more than half of the parts change no
        activation; of tables: ``confounded-lesions`` : lesions that hang together, so that their values do too;
        ``unseen-pairs`` : pairs of regions lesioned together in fewer than 2 animals, whose interaction is assumed
        (none where it was never seen); ``extrapolated-lesions`` : regions of which no lesion was whole; ``no-fit``.

    Intervals of tables held, at 95 %, 0.93 to 0.98 of values in simulations of 25 to 80 animals, and as few as 0.85 for
    regions of strong interactions lesioned in a fifth of the animals. Lesions of one region at a time say nothing of
    interactions: two regions that stand in for each other then get 0 each, with narrow intervals.

    References
    ----------
    Shapley (1953); Castro, Gomez & Tejada (2009); Mitchell et al. (2022); Grabisch & Roubens (1999) for interactions;
    Keinan et al. (2004) for lesions; Ghorbani & Zou (2020) for units of networks.

    Examples
    --------
    >>> import consilience as cs
    >>> def majority(present):  # four votes of 2, 1, 1 and 1; 3 decide
    ...     return present @ [2, 1, 1, 1] >= 3
    >>> cs.shapley(majority, names=["chair", "a", "b", "c"]).value.values.round(3).tolist()
    [0.5, 0.167, 0.167, 0.167]
    """
    refuse_result(game, who=WHO, name="game", expected="a network, a function of coalitions or lesions")
    seed = resolve_seed(rng, who=WHO)
    if exact is not None and not isinstance(exact, (bool, np.bool_)):
        raise InputError(
            f"{WHO}: exact must be True, False or None, got {shorten(exact)}.", code="bad-parameter"
        )
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    options: dict[str, Any] = {
        "exact": None if exact is None else bool(exact),
        "precision": None
        if precision is None
        else check_number(precision, name="precision", who=WHO, low=0.0, high=float("inf")),
        "budget": check_count(budget, name="budget", who=WHO, minimum=1),
        "interactions": check_count(interactions, name="interactions", who=WHO),
        "level": level,
    }
    if options["interactions"] == 1:
        raise InputError(f"{WHO}: interactions=1 makes no pair; give 2 or more.", code="bad-parameter")
    of_network = {
        "layer": layer,
        "stimuli": stimuli,
        "target": target,
        "parts": parts,
        "reference": reference,
        "n_heads": n_heads,
        "times": times,
    }
    of_table = {"scores": scores, "groups": groups}
    cautions: list[Any]
    with collect_cautions() as cautions:
        if isinstance(game, Network) or is_module(game):
            _refuse(of_table | {"names": names, "n_players": n_players}, "a network")
            played, made = play_network(
                game,
                of_network | {"evaluate": evaluate, "how": how, "output": output, "parts_of": parts_of},
                {"batch_size": batch_size, "device": device},
                options,
                progress,
                seed,
            )
        elif callable(game):
            _refuse(of_network | of_table, "a function")
            made = function_game(game, names, n_players)
            played = play(made, progress=progress, seed=seed, **options)
        else:
            _refuse(of_network | {"n_players": n_players}, "a table of lesions")
            return _of_table(game, scores, groups, names, options, seed, cautions)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return Shapley(
        data=played.data,
        interactions=played.interactions,
        settings={
            "verb": "shapley",
            "system": made.system,
            "score": made.score,
            "level": level,
            "n_stimuli": made.n if made.per_stimulus else 0,
            **played.settings,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=_references(played, made),
        methods=_methods(played, made, level),
    )


def _of_table(
    table: Any, scores: Any, groups: Any, names: Any, options: dict[str, Any], seed: Seed, cautions: list[Any]
) -> Shapley:
    played = play_table(table, scores, groups, names, options, seed)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=3)
    s = played.settings
    n = played.data.sizes["player"]
    pairs, seen = n * (n - 1) // 2, s.get("n_products", 0)
    if s["method"] == "observed coalitions":
        filled = "all coalitions were observed and averaged"
    elif not seen:
        filled = (
            "coalitions were filled in by regression on intact regions, without products of two, none of which could "
            "be told from these lesions"
        )
    else:
        filled = (
            "coalitions were filled in by regression on intact regions and "
            + (
                "products of two"
                if seen == pairs
                else f"{seen} of {pairs} products of two (those that were seen)"
            )
            + ", the products under a ridge penalty chosen by leaving out animals"
        )
    return Shapley(
        data=played.data,
        interactions=played.interactions,
        settings={"verb": "shapley", **s},
        seed=str(seed),
        warnings=tuple(cautions),
        references=(
            "shapley1953value",
            "keinan2004fair",
            "grabisch1999axiomatic",
            "benjamini1995controlling",
        ),
        methods=(
            f"Shapley values of {played.data.sizes['player']} regions were taken from {s['n_rows']} lesions; {filled}.",
            f"Intervals ({options['level']:.0%}) are from the jackknife over {s['n_animals']} animals.",
        ),
    )


def _refuse(given: Mapping[str, Any], what: str) -> None:
    """Options that go with another kind of game."""
    wrong = [f"{name}=" for name, value in given.items() if value is not None]
    if wrong:
        raise InputError(
            f"{WHO}: {', '.join(wrong)} {'do' if len(wrong) > 1 else 'does'} not go with {what}; leave "
            f"{'them' if len(wrong) > 1 else 'it'} out.",
            code="bad-parameter",
        )


def _references(played: Played, game: Game) -> tuple[str, ...]:
    sampled = played.settings["method"] != "exact"
    return (
        "shapley1953value",
        *(REFERENCES[1:] if sampled else ()),
        *(("grabisch1999axiomatic",) if played.interactions is not None else ()),
        *(("ghorbani2020neuron",) if "layer" in played.settings else ()),
        *(("benjamini1995controlling",) if game.per_stimulus else ()),
    )


def _methods(played: Played, game: Game, level: float) -> tuple[str, ...]:
    s, p = played.settings, played.data.sizes["player"]
    if s["method"] == "exact":
        how = f"from all {s['n_coalitions']:,} coalitions"
    else:
        how = (
            f"from {s['n_orders']:,} random orders ({s['n_coalitions']:,} coalitions), in sets of an order, the order "
            "with its halves exchanged, and both backwards"
        )
    out = [f"Shapley values of {p} players were computed {how}; the score was {game.score}."]
    if "layer" in s:
        out.append(f"Absent parts of {s['layer']} were replaced ({s['how']}).")
    if game.per_stimulus:
        out.append(
            f"Intervals ({level:.0%}) are over {game.n} stimuli"
            + ("" if s["method"] == "exact" else " and the sampled orders (two-way random effects)")
            + "."
        )
    else:
        out.append("The score was one number for all stimuli, so there is no interval over stimuli.")
    return tuple(out)
