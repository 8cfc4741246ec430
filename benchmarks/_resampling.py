"""1000 resamplings of stimuli and subjects: 10 models, 12 subjects, 92 conditions."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close, peer
from consilience.stats import multinomial_weights, weighted_cosines

__all__ = ["rows"]

N, MODELS, SUBJECTS, DRAWS = 92, 10, 12, 1000
PEER_DRAWS, SPREAD_DRAWS = 10, 300
PEER = "rsatoolbox eval_dual_bootstrap"
LEAN = "rsatoolbox eval_bootstrap, no ceiling"


def _data() -> tuple[np.ndarray, np.ndarray]:
    """Ten model RDMs of random patterns; subjects are a mixture of the first four, with noise."""
    rng = np.random.default_rng(0)
    models = np.stack([cs.measures.rdm(rng.normal(size=(N, 20))) for _ in range(MODELS)])
    noise = 0.2 * np.abs(rng.normal(size=(SUBJECTS, models.shape[1])))
    return models, models[:4].mean(axis=0) + noise


def _same_draws(models: np.ndarray, subjects: np.ndarray, rdm: Any) -> float:
    """With the cosine nothing is centred, and a draw of one is a draw of the other, pair by pair."""
    rng = np.random.default_rng(1)
    weights = multinomial_weights(N, 3, rng)
    ours = weighted_cosines(models, subjects, weights)
    away = 0.0
    for w, values in zip(weights, ours):
        rows = np.repeat(np.arange(N), w.astype(int))
        one, two = (rdm.RDMs(v).subsample_pattern("index", rows) for v in (models, subjects))
        away = max(away, close(rdm.compare(one, two, method="cosine"), values, 1e-10, "draws"))
    return away


def rows(threads: int) -> list[Row]:
    models, subjects = _data()
    ids = [f"condition{i:02d}" for i in range(N)]
    people = [f"subject{i:02d}" for i in range(SUBJECTS)]
    systems = {
        f"model{i}": cs.rdm_data(v[None], stimulus=ids, distance="correlation") for i, v in enumerate(models)
    }
    brain = cs.rdm_data(subjects, stimulus=ids, distance="correlation", subject=people, system="brain")
    measure = functools.partial(cs.measures.rsa, method="pearson")
    weights = multinomial_weights(N, DRAWS, np.random.default_rng(0))
    a, b = (v - v.mean(axis=1, keepdims=True) for v in (models, subjects))

    def ours() -> Any:
        return cs.compare(systems, brain, measure=measure, n_boot=DRAWS, n_perm=0, rng=0)

    sides = [Side(OURS, ours), Side("the weighted product alone", lambda: weighted_cosines(a, b, weights))]
    found = peer("rsatoolbox.rdm", "rsatoolbox.model", "rsatoolbox.inference")
    if found is not None:
        rdm, model, inference = found
        fixed = [model.ModelFixed(name, rdm.RDMs(v[None])) for name, v in zip(systems, models)]
        data = rdm.RDMs(subjects)
        scale = DRAWS / PEER_DRAWS
        per = f"{PEER_DRAWS} draws, times {scale:g}"

        def dual() -> Any:
            return inference.eval_dual_bootstrap(fixed, data, method="corr", N=PEER_DRAWS)

        def lean() -> Any:
            return inference.eval_bootstrap(fixed, data, method="corr", N=PEER_DRAWS, boot_noise_ceil=False)

        sides[1:1] = [Side(PEER, dual, scale, per), Side(LEAN, lean, scale, per)]

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        result = answers[OURS]
        points = inference.eval_fixed(fixed, data, method="corr").evaluations[0].mean(axis=1)
        value = close(result.data["value"].values.ravel(), points, 1e-10, "point values")
        draw = _same_draws(models, subjects, rdm)
        spread = inference.eval_bootstrap_pattern(
            fixed, data, method="corr", N=SPREAD_DRAWS, boot_noise_ceil=False
        )
        ratio = result.draws.values[0, :, 0].std(axis=1, ddof=1) / spread.evaluations.std(axis=0, ddof=1)
        if not 0.85 < ratio.mean() < 1.15:
            raise AssertionError(
                f"bootstrap standard deviations: mean ratio {ratio.mean():.3f}, not within 15 %."
            )
        return (
            f"point values within {value:.1g} (1e-10); draw by draw, the same resampled stimuli, "
            f"cosine: within {draw:.1g} (1e-10); "
            f"standard deviations over stimuli, {DRAWS} of our draws to {SPREAD_DRAWS} of "
            f"theirs: mean ratio {ratio.mean():.2f} "
            f"(0.85 to 1.15), single models {ratio.min():.2f} to {ratio.max():.2f}"
        )

    return [
        Row(
            "resampling",
            (
                f"{DRAWS} resamplings of stimuli and subjects, {MODELS} models x {SUBJECTS} subjects "
                f"x {N} conditions, correlation"
            ),
            tuple(sides),
            check,
            (Target("faster", 50.0, PEER),),
            repeats=5,
            notes=(
                "Ours is the whole verb (`compare`, no permutations): values, intervals over "
                "stimuli, subjects and both, ceilings, "
                "nested best model. rsatoolbox copies RDM objects per draw and drops pairs of a "
                "stimulus with itself; we weigh a "
                "pair by w_i w_j, i != j, which is the same set of pairs. It centres each draw "
                "anew, we centre once, so single "
                "draws of a correlation differ a little. It also bootstraps the noise ceiling; "
                "the lean side leaves that out, "
                "and draws one of the three resamplings only.",
            ),
            missing=() if found is not None else ("rsatoolbox",),
        )
    ]
