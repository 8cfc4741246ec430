"""1000 resamplings of stimuli and subjects, as in `_resampling`, by whitened correlation and by tau-a."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._resampling import DRAWS, MODELS, PEER, SUBJECTS, N, _data
from benchmarks._row import OURS, Row, Side, Target, close, peer
from consilience.measures._ranks import tau_a
from consilience.stats import multinomial_weights, weighted_concordance

__all__ = ["rows"]

# row -> (our method, theirs, draws of theirs that are timed, at least so many times faster)
METHODS = {
    "whitened": ("whitened_pearson", "corr_cov", 1, 100.0),
    "tau": ("kendall", "tau-a", 2, 5.0),
}
LOOP = "a loop of scipy.stats.kendalltau over draws"
LOOP_DRAWS = 2


def _systems(models: np.ndarray, subjects: np.ndarray) -> tuple[dict[str, Any], Any]:
    ids = [f"condition{i:02d}" for i in range(N)]
    people = [f"subject{i:02d}" for i in range(SUBJECTS)]
    made = {
        f"model{i}": cs.rdm_data(v[None], stimulus=ids, distance="correlation") for i, v in enumerate(models)
    }
    return made, cs.rdm_data(subjects, stimulus=ids, distance="correlation", subject=people, system="brain")


def _tau_of_draws(models: np.ndarray, subjects: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """tau-a of the resampled RDMs themselves, pairs of a stimulus with itself left out, and pairs of pairs that
    are one pair drawn twice not counted.
    """
    rows, columns = np.triu_indices(N, 1)
    out = np.empty((len(weights), len(models), len(subjects)))
    for d, w in enumerate(weights):
        v = (w[rows] * w[columns]).astype(int)
        whole = v.sum() * (v.sum() - 1)
        counted = v.sum() ** 2 - (v * v).sum()
        for i, a in enumerate(models):
            for j, b in enumerate(subjects):
                out[d, i, j] = tau_a(np.repeat(a, v), np.repeat(b, v)) * whole / counted
    return out


def _row(name: str) -> Row:
    ours, theirs, peer_draws, factor = METHODS[name]
    models, subjects = _data()
    systems, brain = _systems(models, subjects)
    measure = functools.partial(cs.measures.rsa, method=ours)

    def verb() -> Any:
        return cs.compare(systems, brain, measure=measure, n_boot=DRAWS, n_perm=0, rng=0)

    sides = [Side(OURS, verb)]
    if name == "tau":
        few = multinomial_weights(N, LOOP_DRAWS, np.random.default_rng(0))
        per = f"{LOOP_DRAWS} draws, times {DRAWS / LOOP_DRAWS:.0f}"
        sides.append(Side(LOOP, lambda: _tau_of_draws(models, subjects, few), DRAWS / LOOP_DRAWS, per))
    found = peer("rsatoolbox.rdm", "rsatoolbox.model", "rsatoolbox.inference")
    if found is not None:
        rdm, model, inference = found
        fixed = [model.ModelFixed(key, rdm.RDMs(v[None])) for key, v in zip(systems, models)]
        data = rdm.RDMs(subjects)

        def dual() -> Any:
            return inference.eval_dual_bootstrap(fixed, data, method=theirs, N=peer_draws)

        per = f"{peer_draws} draws, times {DRAWS / peer_draws:g}"
        sides.insert(1, Side(PEER, dual, DRAWS / peer_draws, per))

    def check(answers: dict[str, Any]) -> str:
        text = []
        if found is not None:
            points = inference.eval_fixed(fixed, data, method=theirs).evaluations[0].mean(axis=1)
            value = close(answers[OURS].data["value"].values.ravel(), points, 1e-10, "point values")
            text.append(f"point values within {value:.1g} (1e-10)")
        if name == "tau":
            v = few[:, np.triu_indices(N, 1)[0]] * few[:, np.triu_indices(N, 1)[1]]
            below = v.sum(axis=1) ** 2 - (v * v).sum(axis=1)
            quick = weighted_concordance(models, subjects, v) / below[:, None, None]
            away = close(quick, answers[LOOP], 1e-10, "draws")
            text.append(f"draw by draw against the resampled RDMs within {away:.1g} (1e-10)")
        return "; ".join(text) or "nothing to compare with"

    return Row(
        f"resampling-{name}",
        f"{DRAWS} resamplings of stimuli and subjects, {MODELS} models x {SUBJECTS} subjects x {N} conditions, "
        f"{ours}",
        tuple(sides),
        check,
        (Target("faster", factor, PEER),),
        repeats=3,
        notes=(
            "Ours is the whole verb, as in the row of the correlation. rsatoolbox also bootstraps the noise ceiling, "
            "and resamples stimuli, subjects and both for each draw.",
        ),
        missing=() if found is not None else ("rsatoolbox",),
    )


def rows(threads: int) -> list[Row]:
    return [_row(name) for name in METHODS]
