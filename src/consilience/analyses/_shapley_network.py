"""Networks for `cs.shapley`: parts of a layer as players, run by the engine of lesions or by a function of the user."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience._stimuli import check_stimuli
from consilience.analyses._evaluate_outputs import EVALUATES, Score, make_network_score
from consilience.analyses._shapley_game import WHO, Game, network_game
from consilience.analyses._shapley_run import Played, play
from consilience.networks import Network
from consilience.networks._inputs_seen import inputs_seen
from consilience.networks._lesion import Lesions, Parts, lesioned, make_parts
from consilience.networks._network import as_network

__all__ = ["play_network"]


def play_network(
    given_net: Any,
    given: dict[str, Any],
    running: dict[str, Any],
    options: dict[str, Any],
    progress: Any,
    seed: Seed,
) -> tuple[Played, Game]:
    net = as_network(given_net, who=WHO)
    if given["layer"] is None and not isinstance(given["parts"], (list, tuple)):
        raise InputError(
            f"{WHO}: name the layer: cs.shapley(net, layer, ...); {net.name} has {shorten(net.layer_names, 200)}.",
            code="no-layer",
        )
    how = given["how"]
    random = isinstance(how, str) and how in ("resample", "noise")
    if given["stimuli"] is None:
        game, parts = _by_function(given_net, net, given, running["device"], random, seed)
        played = play(game, progress=progress, seed=seed, **options)
    else:
        parts = _parts(net, given["stimuli"], given, running["device"])
        with Lesions(
            net,
            given["stimuli"],
            parts,
            how=how,
            reference=given["reference"],
            rng=seed.stream("replacements"),
            output=given["output"],
            who=WHO,
            **running,
        ) as run:
            game = network_game(run, given["evaluate"], given["target"], random=random)
            played = play(game, progress=progress, seed=seed, **options)
            idle = np.flatnonzero(run.unchanged)
        if 2 * idle.size > len(parts):  # units that never answer are common, and 0 already
            warn(
                "lesion-without-effect",
                f"{WHO}: the lesion of {idle.size} of {len(parts)} parts changes no activation, e.g. of "
                f"{shorten(parts.names[idle[0]], 40)}, so their values are 0 whatever they do.",
                "Show stimuli that drive them, or leave them out.",
            )
    known = how if isinstance(how, (str, int, float)) else type(how).__name__
    layers = ", ".join(dict.fromkeys(parts.layers))
    if len(parts.unit_of) == len(parts.names):
        played.data["unit"] = ("player", np.asarray(parts.unit_of))
    played.settings.update({"layer": layers, "how": known, "kind": parts.kind})
    game.system = f"{net.name}, {layers}"
    return played, game


def _parts(net: Network, stimuli: Any, given: dict[str, Any], device: str | None) -> Parts:
    return make_parts(
        net,
        given["layer"],
        stimuli,
        parts=given["parts"],
        parts_of=given["parts_of"],
        n_heads=given["n_heads"],
        times=given["times"],
        device=device,
        who=WHO,
    )


def _by_function(
    given_net: Any, net: Network, given: dict[str, Any], device: str | None, random: bool, seed: Seed
) -> tuple[Game, Parts]:
    """``evaluate`` runs the network itself, on what it likes; that, or ``reference``, is what mean and resample use."""
    evaluate = given["evaluate"]
    if isinstance(evaluate, str) and evaluate in EVALUATES:
        raise InputError(
            f"{WHO}: evaluate={evaluate!r} of a network needs stimuli= and target=; without stimuli= pass a function "
            "of the network, f(net) -> number.",
            code="no-stimuli",
        )
    if not net.is_module:
        raise InputError(
            f"{WHO}: {net.name} is a callable; a lesion needs the layers of a torch module.",
            code="not-a-module",
        )
    score: Score = make_network_score(
        evaluate, given_net, noise=int(seed.stream("noise of the network").integers(2**62)), who=WHO
    )
    start = time.perf_counter()
    if given["reference"] is None:
        first, shown = inputs_seen(net, score.f, who=WHO)
        bare = Network(net.module, name=net.name, device=net.device)
    else:
        first, shown, bare = score.f(), check_stimuli(given["reference"], who=WHO), net
    seconds = time.perf_counter() - start
    parts, first = _parts(bare, shown, given, device), np.asarray(first)
    n = first.size

    def run(present: np.ndarray, draw: int) -> np.ndarray:
        found = np.empty((len(present), n))
        for i, row in enumerate(present):
            if row.all():
                found[i] = first
                continue
            rng = seed.stream(f"replacements {draw}") if random else None
            with lesioned(
                bare, parts, ~row, how=given["how"], reference=shown, rng=rng, device=device, who=WHO
            ):
                value = np.asarray(score.f())
            if value.shape != first.shape:
                raise InputError(
                    f"{WHO}: evaluate returned shape {first.shape} for the intact network and {value.shape} under a "
                    "lesion; it must score the same stimuli in the same order.",
                    code="bad-evaluate",
                )
            found[i] = value
        return found

    game = Game(
        names=list(parts.names),
        play=run,
        n=n,
        members=np.ones((1, n), dtype=bool),
        stimuli=list(range(n)) if first.ndim else [],
        random=random,
        per_stimulus=first.ndim == 1,
        score=score.name,
        about={"route": "full", "share": 1.0},
        seconds=lambda m: seconds * m,
    )
    return game, parts
