"""Conformance of inference on RDM models with rsatoolbox: values, ceilings, and the same resamples in both.

rsatoolbox draws its resamples by `numpy.random.randint`; here it is handed ours, so that draws compare one by one.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
from scipy import stats

import consilience as cs
from benchmarks._conformance_row import Row
from consilience._core._seeds import resolve_seed
from consilience.analyses._evaluation import Table
from consilience.stats import multinomial_weights

__all__ = ["ROWS"]

N, SUBJECTS, MODELS = 12, 5, 3
FEW, MANY = 10, 200  # draws
IDS, PEOPLE = [f"s{i:02d}" for i in range(N)], list("pqrst")
PEER = ("rsatoolbox.rdm", "rsatoolbox.model", "rsatoolbox.inference", "rsatoolbox.util.inference_util")


def _data(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """RDMs of three models and five subjects, who are a mixture of the models with noise."""
    models = rng.uniform(size=(MODELS, N * (N - 1) // 2))
    return models, models.mean(axis=0) + 0.3 * rng.uniform(size=(SUBJECTS, models.shape[1]))


def _labelled(models: np.ndarray, people: np.ndarray) -> tuple[dict[str, Any], Any]:
    given = {f"m{i}": cs.rdm_data(v[None], stimulus=IDS, distance="euclidean") for i, v in enumerate(models)}
    return given, cs.rdm_data(people, stimulus=IDS, distance="euclidean", subject=PEOPLE, system="brain")


def _theirs(models: np.ndarray, people: np.ndarray, modules: tuple[Any, ...]) -> tuple[list[Any], Any]:
    rdm, model = modules[:2]
    return [model.ModelFixed(f"m{i}", rdm.RDMs(v[None])) for i, v in enumerate(models)], rdm.RDMs(people)


def _evaluated(rng: np.random.Generator, method: str, n_boot: int) -> tuple[Any, np.ndarray, np.ndarray]:
    models, people = _data(rng)
    found = cs.evaluate_models(*_labelled(models, people), method=method, n_boot=n_boot, n_perm=0, rng=0)
    return found, models, people


def _indices(weights: np.ndarray) -> list[np.ndarray]:
    return [np.repeat(np.arange(w.size), w.astype(int)) for w in weights]


def _evaluation_draws(count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Stimuli and subjects of each draw of `evaluate_models` with rng=0."""
    seed = resolve_seed(0, who="conformance")
    return (
        _indices(multinomial_weights(N, count, seed.stream("stimuli"))),
        _indices(multinomial_weights(SUBJECTS, count, seed.stream("subjects"))),
    )


def _replayed(stimuli: list[np.ndarray] | None, subjects: list[np.ndarray] | None) -> Any:
    """`numpy.random.randint` that gives the subjects, then the stimuli, of one draw after the other."""

    def each() -> Iterator[np.ndarray]:
        for k in itertools.count():
            yield from (drawn[k] for drawn in (subjects, stimuli) if drawn is not None)

    return mock.patch("numpy.random.randint", side_effect=each())


def _their_draws(
    fixed: list[Any], data: Any, inference: Any, method: str, draws: tuple[Any, Any]
) -> list[np.ndarray]:
    """Values (draws, models) over stimuli, subjects, both, of the draws given."""
    stimuli, subjects = draws
    out = []
    for verb, drawn in (
        (inference.eval_bootstrap_pattern, (stimuli, None)),
        (inference.eval_bootstrap_rdm, (None, subjects)),
        (inference.eval_bootstrap, (stimuli, subjects)),
    ):
        with _replayed(*drawn):
            found = verb(fixed, data, method=method, N=len(stimuli), boot_noise_ceil=False)
        out.append(np.asarray(found.evaluations).reshape(len(stimuli), MODELS))
    return out


def _values(method: str, theirs: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        found, models, people = _evaluated(rng, method, 0)
        said = modules[2].eval_fixed(*_theirs(models, people, modules), method=theirs)
        return found.data["value"].values, said.evaluations[0].mean(axis=1)

    return pair


def _ceilings(method: str, theirs: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        found, models, people = _evaluated(rng, method, 0)
        said = modules[2].eval_fixed(*_theirs(models, people, modules), method=theirs)
        return found.ceilings["value"].values, np.asarray(said.noise_ceiling)

    return pair


def _draws(method: str, theirs: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        found, models, people = _evaluated(rng, method, FEW)
        fixed, data = _theirs(models, people, modules)
        said = _their_draws(fixed, data, modules[2], theirs, _evaluation_draws(FEW))
        return found.draws.transpose("factor", "draw", "model").values, np.stack(said)

    return pair


def _dual_variances(
    models: np.ndarray, people: np.ndarray, modules: tuple[Any, ...], theirs: str
) -> np.ndarray:
    """Variances (3, models and ceilings) of rsatoolbox's draws of both, subjects, stimuli, at our resamples."""
    fixed, data = _theirs(models, people, modules)
    with _replayed(*_evaluation_draws(MANY)):
        said = modules[2].eval_dual_bootstrap(fixed, data, method=theirs, N=MANY)
    return np.einsum("ijj->ij", np.asarray(said.variances))


def _ceiling_errors(method: str, theirs: str, factor: str) -> Any:
    """Standard errors of the ceilings over stimuli, or over both."""

    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        found, models, people = _evaluated(rng, method, MANY)
        variances = _dual_variances(models, people, modules, theirs)[:, MODELS:]
        if factor == "both":
            variance, df, name = modules[3]._dual_bootstrap(variances, SUBJECTS, N), SUBJECTS - 1, "ci_both"
        else:
            variance, df, name = variances[2] * N / (N - 1), N - 1, "ci"
        half = (found.ceilings[f"{name}_high"] - found.ceilings[f"{name}_low"]).values / 2
        return half / stats.t.ppf(0.975, df), np.sqrt(variance)

    return pair


def _model_errors(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    """Standard errors of the models over both: of our components, and of the three bootstraps."""
    models, people = _data(rng)
    table = Table([cs.models.FixedRDM(v[None]) for v in models], people, N, "cosine")
    ours = table.components(np.ones((1, N))).variances(np.eye(MODELS))["both"]
    theirs = _dual_variances(models, people, modules, "cosine")[:, :MODELS]
    return np.sqrt(ours), np.sqrt(modules[3]._dual_bootstrap(theirs, SUBJECTS, N))


def _compared(
    rng: np.random.Generator, modules: tuple[Any, ...], method: str, theirs: str, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws (3, draws, models) of `compare` over stimuli, subjects and both, and rsatoolbox's at the same resamples."""
    models, people = _data(rng)
    measure = functools.partial(cs.measures.rsa, method=method)  # type: ignore[arg-type]
    found = cs.compare(*_labelled(models, people), measure=measure, n_boot=count, n_perm=0, rng=0)
    seed = resolve_seed(0, who="conformance")
    drawn = (
        _indices(multinomial_weights(N, count, seed.stream("stimuli"))),
        _indices(multinomial_weights(SUBJECTS, count, seed.stream("subjects:" + "\x1f".join(PEOPLE)))),
    )
    fixed, data = _theirs(models, people, modules)
    ours = [
        draws.squeeze(("measure", "b")).transpose("draw", "a").values
        for draws in (found.draws, found.subject_draws, found.both_draws)
    ]
    return np.stack(ours), np.stack(_their_draws(fixed, data, modules[2], theirs, drawn))


def _compare_draws(method: str, theirs: str) -> Any:
    return functools.partial(_compared, method=method, theirs=theirs, count=FEW)


def _compare_spread(method: str, theirs: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        return tuple(v.std(axis=1, ddof=1) for v in _compared(rng, modules, method, theirs, MANY))

    return pair


def _two_factor(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    """Variances with an interaction, so that neither bound from above is met."""
    subjects, stimuli = rng.uniform(0.5, 1.0, size=(2, 20))
    both = (1 + rng.uniform(0.3, 0.9, size=20)) * (subjects + stimuli)
    ours = cs.stats.two_factor_variance(stimuli, subjects, both, n_stimuli=20, n_subjects=10)
    return ours, modules[3]._dual_bootstrap(np.stack([both, subjects, stimuli]), 10, 20)


OURS_AND_THEIRS = {
    "cosine": "cosine",
    "pearson": "corr",
    "spearman": "spearman",
    "kendall": "tau-a",
    "rho_a": "rho-a",
    "whitened_cosine": "cosine_cov",
    "whitened_pearson": "corr_cov",
}
RANKS = "ours weigh the ranks of all pairs, rsatoolbox ranks the pairs of each draw anew"
WHITENED = (
    "ours average RDMs at whitened norm 1, which gives the highest mean value; rsatoolbox gives them one root mean "
    "square first"
)
CEILING_REASONS = {
    "spearman": "ours correlate ranks with the mean of ranks, which no RDM exceeds; rsatoolbox ranks that mean again",
    "whitened_cosine": WHITENED,
    "whitened_pearson": WHITENED,
}
DRAW_REASONS = {
    "spearman": RANKS,
    "kendall": "a pair and its copy are a tie that counts in rsatoolbox; ours leave a pair beside itself out",
    "rho_a": RANKS,
    "whitened_cosine": "ours weigh centred kernels, in which copies of a stimulus are at distance 0; rsatoolbox drops "
    "their pairs and whitens those that are left",
}


def _row(
    ours: str, theirs: str, pair: Any, reason: str = "", tolerance: float = 1e-10, share: float = 1.0
) -> Row:
    return Row(ours, f"rsatoolbox {theirs}", pair, PEER, None if reason else tolerance, reason, share)


ROWS = (
    *(_row(f"evaluate_models({m}): values", "eval_fixed", _values(m, t)) for m, t in OURS_AND_THEIRS.items()),
    *(
        _row(f"evaluate_models({m}): ceilings", "eval_fixed", _ceilings(m, t), CEILING_REASONS.get(m, ""))
        for m, t in OURS_AND_THEIRS.items()
    ),
    *(
        _row(
            f"evaluate_models({m}): the same resamples of stimuli, subjects, both",
            "eval_bootstrap_pattern, _rdm, eval_bootstrap",
            _draws(m, OURS_AND_THEIRS[m]),
            DRAW_REASONS.get(m, ""),
        )
        for m in ("cosine", "pearson", *DRAW_REASONS)
    ),
    *(
        _row(
            f"evaluate_models({m}): standard errors of ceilings over stimuli",
            "eval_dual_bootstrap, the same resamples",
            _ceiling_errors(m, OURS_AND_THEIRS[m], "stimuli"),
            share=0.1,
        )
        for m in ("cosine", "pearson")
    ),
    _row(
        "evaluate_models(cosine): standard errors of ceilings over both",
        "eval_dual_bootstrap, the same resamples",
        _ceiling_errors("cosine", "cosine", "both"),
        "in a draw ours weigh a subject by how often it was drawn, as models' values are weighed, rsatoolbox takes "
        "each that was drawn once; it bounds the variance by that of the double bootstrap, ours by n / (n - 1) times "
        "it",
        share=0.1,
    ),
    _row(
        "evaluate_models(cosine): standard errors of models over both",
        "eval_dual_bootstrap, the same resamples",
        _model_errors,
        "ours are variance components (jackknife over stimuli less what it counts twice, spread of subjects), "
        "rsatoolbox's come from the variances of three bootstraps",
        share=0.1,
    ),
    _row("stats.two_factor_variance, below its upper bound", "dual bootstrap variance", _two_factor),
    *(
        _row(
            f"compare(rsa, {m}): the same resamples of stimuli, subjects, both",
            "eval_bootstrap_pattern, _rdm, eval_bootstrap",
            _compare_draws(m, OURS_AND_THEIRS[m]),
            reason,
        )
        for m, reason in (("cosine", ""), ("pearson", "rsatoolbox centres each draw anew, ours are centred once"))
    ),
    _row(
        f"compare(rsa, pearson): standard deviation of {MANY} draws, the same resamples",
        "eval_bootstrap_pattern, _rdm, eval_bootstrap",
        _compare_spread("pearson", "corr"),
        "rsatoolbox centres each draw anew, ours are centred once",
        share=0.1,
    ),
)  # fmt: skip
