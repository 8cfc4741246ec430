"""Conformance: every function that a peer has too, on random inputs: the largest relative difference, or why not.

Run as ``python -m benchmarks.conformance``; peers that are not installed are looked for in the folder
CONSILIENCE_PEERS. Writes conformance.md beside this file. The relative difference of two arrays is
max |ours - theirs| / max |theirs|. A row without a tolerance differs for the reason that it states.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import peer, quiet

__all__ = ["ROWS", "Row", "difference"]

TARGET = Path(__file__).with_suffix(".md")
INPUTS = 50


@dataclass(frozen=True)
class Row:
    """``pair(rng, modules)`` gives (ours, theirs) for one random input.

    needs : modules of the peer.   tolerance : relative; None = differs, for ``reason``.   share : of the inputs.
    """

    ours: str
    theirs: str
    pair: Callable[[np.random.Generator, tuple[Any, ...]], tuple[Any, Any]]
    needs: tuple[str, ...] = ()
    tolerance: float | None = 1e-10
    reason: str = ""
    share: float = 1.0


def difference(ours: Any, theirs: Any) -> float:
    """max |ours - theirs| / max |theirs|."""
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    return float(np.max(np.abs(a - b)) / max(float(np.max(np.abs(b))), 1e-300))


def _two(rng: np.random.Generator, n: int = 20, p: int = 9, q: int = 7) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(n, p)), rng.normal(size=(n, q))


# rsatoolbox ----------------------------------------------------------------------------------------------


def _rdm(distance: str, method: str, *, counts: bool = False, noise: bool = False) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        data, rdm = modules[:2]
        x = rng.poisson(3.0, size=(12, 8)).astype(float) if counts else rng.normal(size=(12, 8))
        root = rng.normal(size=(8, 8))
        precision = root @ root.T + np.eye(8)
        options = {"noise": precision} if noise else {}
        theirs = rdm.calc_rdm(data.Dataset(x), method=method, **options).dissimilarities[0]
        return cs.measures.rdm(x, distance=distance, **options), theirs  # type: ignore[arg-type]

    return pair


def _crossvalidated(ours: str, method: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        data, rdm = modules[:2]
        stimulus, folds = np.tile(np.arange(6), 4), np.repeat(np.arange(4), 6)
        counts = ours.startswith("poisson")
        x = rng.poisson(3.0, size=(24, 8)).astype(float) if counts else rng.normal(size=(24, 8))
        made = data.Dataset(x, obs_descriptors={"stimulus": stimulus, "fold": folds})
        options: dict[str, Any] = {} if counts else {"noise": None}
        theirs = rdm.calc_rdm(made, method=method, descriptor="stimulus", cv_descriptor="fold", **options)
        return getattr(cs.measures, ours)(x, stimulus, folds=folds, **options), theirs.dissimilarities[0]

    return pair


def _poisson_folds(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    """Each fold once as the last one, which is the one that rsatoolbox returns."""
    data, rdm = modules
    stimulus, folds = np.tile(np.arange(6), 4), np.repeat(np.arange(4), 6)
    x = rng.poisson(3.0, size=(24, 8)).astype(float)
    each = []
    for last in range(4):
        described = {"stimulus": stimulus, "fold": (folds - last - 1) % 4}
        made = data.Dataset(x, obs_descriptors=described)
        found = rdm.calc_rdm(made, method="poisson_cv", descriptor="stimulus", cv_descriptor="fold")
        each.append(found.dissimilarities[0])
    return cs.measures.poisson_crossvalidated(x, stimulus, folds=folds), np.mean(each, axis=0)


def _compare(ours: str, method: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        rdm = modules[1]
        a, b = (np.asarray(cs.measures.rdm(x, distance="euclidean")) for x in _two(rng, 12))
        theirs = rdm.compare(rdm.RDMs(a[None]), rdm.RDMs(b[None]), method=method)[0, 0]
        return cs.measures.compare_rdms(a, b, method=ours), theirs  # type: ignore[arg-type]

    return pair


def _weighted(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    _, rdm, model, fitter = modules
    parts = np.stack(
        [np.asarray(cs.measures.rdm(rng.normal(size=(10, 6)), distance="euclidean")) for _ in range(3)]
    )
    target = rng.uniform(0.2, 1, size=3) @ parts + 0.1 * rng.uniform(size=parts.shape[1])
    theirs = model.ModelWeighted("w", rdm.RDMs(parts))
    weights = fitter.fit_regress_nn(theirs, rdm.RDMs(target[None]), method="cosine")
    predicted = theirs.predict(weights)
    ours = np.asarray(cs.models.WeightedRDM(parts, method="cosine").fit(target[None]).predict())
    return ours / np.linalg.norm(ours), predicted / np.linalg.norm(predicted)


def _fixed(what: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        _, rdm, model, inference = modules
        people = rng.uniform(size=(5, 66)) + rng.uniform(size=66)
        guess = rng.uniform(size=66)
        ids = [f"s{i:02d}" for i in range(12)]
        brain = cs.rdm_data(people, stimulus=ids, distance="euclidean", subject=list("pqrst"), system="brain")
        one = cs.rdm_data(guess[None], stimulus=ids, distance="euclidean", system="model", subject=["m"])
        from functools import partial

        measure = partial(cs.measures.rsa, method="pearson")
        found = cs.compare(one, brain, measure=measure, n_boot=0, n_perm=0, rng=0)
        theirs = inference.eval_fixed(
            [model.ModelFixed("m", rdm.RDMs(guess[None]))], rdm.RDMs(people), method="corr"
        )
        if what == "value":
            return found.value, theirs.evaluations.mean()
        assert found.ceiling is not None
        return found.ceiling, np.asarray(theirs.noise_ceiling).reshape(2, -1).mean(axis=1)

    return pair


# mappings ------------------------------------------------------------------------------------------------


def _mapping(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = rng.normal(size=(30, 12)), rng.normal(size=(30, 4))
    return x, y, rng.normal(size=(9, 12))


def _ridge_himalaya(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y, new = _mapping(rng)
    theirs = modules[0].RidgeCV(alphas=[7.0], cv=5, fit_intercept=True).fit(x, y)
    return cs.models.RidgeCV([7.0]).fit(x, y).predict(new), theirs.predict(new)


def _kernel_ridge(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y, new = _mapping(rng)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    theirs = (
        modules[1].KernelRidgeCV(alphas=[7.0], kernel="rbf", kernel_params={"gamma": 0.05}, cv=5).fit(x, y)
    )
    ours = cs.models.KernelRidgeCV("rbf", gamma=0.05, alphas=[7.0], fit_intercept=False).fit(x, y)
    return ours.predict(new), theirs.predict(new)


def _ridge_sklearn(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y, new = _mapping(rng)
    return cs.models.RidgeCV([7.0]).fit(x, y).predict(new), modules[0].Ridge(7.0).fit(x, y).predict(new)


def _pls(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y, new = _mapping(rng)
    theirs = modules[0].PLSRegression(3, scale=False, tol=1e-14, max_iter=100000).fit(x, y).predict(new)
    return cs.models.PLSCV(3).fit(x, y).predict(new), theirs


# canonical correlations ----------------------------------------------------------------------------------


def _mean_correlation(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.mean([abs(np.corrcoef(u, v)[0, 1]) for u, v in zip(one.T, two.T)]))


def _cca_zoo(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = _two(rng, 40, 5, 4)
    return cs.measures.cca(x, y), _mean_correlation(*modules[0].CCA(n_components=4).fit_transform([x, y]))


def _cca_sklearn(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = _two(rng, 40, 5, 4)
    theirs = modules[0].CCA(4, max_iter=100000, tol=1e-14)
    return cs.measures.cca(x, y), _mean_correlation(*theirs.fit_transform(x, y))


def _ridge_cca(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    """Scaled so that the mean variance is 1, where both shrink towards the same matrix; their correlations with the
    shrunk covariances below, which is what they maximise.
    """
    c = 0.3
    x, y = (z / np.sqrt(z.var(axis=0, ddof=1).mean()) for z in _two(rng, 40, 5, 4))
    fitted = modules[0].RidgeCCA(n_components=4, shrinkage=c).fit([x, y])
    one, two = (np.asarray(w) for w in fitted.weights_)
    shrunk = [(1 - c) * np.cov(z.T) + c * np.eye(z.shape[1]) for z in (x, y)]
    cross = np.cov(x.T, y.T)[:5, 5:]
    below = [np.einsum("ik,ij,jk->k", w, m, w) for w, m in zip((one, two), shrunk)]
    theirs = np.abs(np.einsum("ik,ij,jk->k", one, cross, two)) / np.sqrt(below[0] * below[1])
    return cs.measures.cca(x, y, regularization=c), theirs.mean()


# scipy, POT, statsmodels ---------------------------------------------------------------------------------


def _pdist(distance: str, metric: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        x = rng.normal(size=(12, 8))
        return cs.measures.rdm(x, distance=distance), modules[0].pdist(x, metric)  # type: ignore[arg-type]

    return pair


def _procrustes(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = (v - v.mean(axis=0) for v in _two(rng, 20, 7, 7))
    _, scale = modules[0].orthogonal_procrustes(x, y)
    return cs.measures.procrustes(x, y), scale / (np.linalg.norm(x) * np.linalg.norm(y))


def _kendall(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    a, b = rng.uniform(size=(2, 45))
    return cs.measures.compare_rdms(a, b, method="kendall"), modules[0].kendalltau(a, b).statistic


def _assignment(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = _two(rng, 20, 7, 7)
    r = np.corrcoef(x.T, y.T)[:7, 7:]
    rows, columns = modules[0].linear_sum_assignment(-r)
    return cs.measures.one_to_one(x, y), r[rows, columns].mean()


def _transport(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    cost = rng.uniform(size=(9, 7))
    a, b = np.full(9, 1 / 9), np.full(7, 1 / 7)
    return cs.linalg.transport(cost, a, b, method="exact").cost, modules[0].emd2(a, b, cost)


def _sinkhorn(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    cost = rng.uniform(size=(9, 7))
    a, b = np.full(9, 1 / 9), np.full(7, 1 / 7)
    theirs = modules[0].sinkhorn(a, b, cost, 0.05, method="sinkhorn_log", stopThr=1e-12, numItermax=100000)
    return cs.linalg.sinkhorn(cost, a, b, epsilon=0.05, tolerance=1e-11, max_iterations=100000)[0], theirs


def _soft_match(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = _two(rng, 20, 9, 7)
    r = np.corrcoef(x.T, y.T)[:9, 9:]
    return cs.measures.soft_match(x, y), -modules[0].emd2(np.full(9, 1 / 9), np.full(7, 1 / 7), -r)


def _corrected(ours: str, method: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        p = rng.uniform(size=12) ** 3
        return getattr(cs.stats, ours)(p), modules[0].multipletests(p, method=method)[1]

    return pair


# identities ----------------------------------------------------------------------------------------------


def _whitened(rng: np.random.Generator, _: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = _two(rng)
    a, b = (cs.measures.rdm(v, distance="sqeuclidean") for v in (x, y))
    return cs.measures.compare_rdms(a, b, method="whitened_cosine"), cs.measures.cka(x, y, debiased=False)


def _bures(rng: np.random.Generator, _: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = _two(rng)
    k, l = ((v - v.mean(axis=0)) @ (v - v.mean(axis=0)).T for v in (x, y))
    values, vectors = np.linalg.eigh(k)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    inner = np.sqrt(np.clip(np.linalg.eigvalsh(root @ l @ root), 0, None)).sum()
    return cs.measures.procrustes(x, y), inner / np.sqrt(np.trace(k) * np.trace(l))


def _shape(rng: np.random.Generator, _: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = _two(rng)
    return np.cos(cs.measures.shape_distance(x, y, alpha=1.0)), cs.measures.procrustes(x, y)


def _cka_of_rdms(rng: np.random.Generator, _: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = _two(rng)
    ids = [f"s{i:02d}" for i in range(len(x))]
    systems = [
        cs.rdm_data(np.asarray(cs.measures.rdm(v, distance="sqeuclidean"))[None], stimulus=ids,
                    distance="sqeuclidean", subject=["p"], system=name)
        for v, name in ((x, "x"), (y, "y"))
    ]  # fmt: skip
    return cs.compare(*systems, measure="cka", n_boot=0, n_perm=0, rng=0).value, cs.measures.cka(x, y)


RSA = ("rsatoolbox.data", "rsatoolbox.rdm")
HIMALAYA = ("himalaya.ridge", "himalaya.kernel_ridge")
ROWS = (
    *(
        Row(f"rdm({distance})", f"rsatoolbox calc_rdm({method})", _rdm(distance, method, **options), RSA)
        for distance, method, options in (
            ("correlation", "correlation", {}),
            ("euclidean", "euclidean", {}),
            ("mahalanobis", "mahalanobis", {"noise": True}),
            ("poisson", "poisson", {"counts": True}),
        )
    ),
    Row("crossnobis", "rsatoolbox calc_rdm(crossnobis)", _crossvalidated("crossnobis", "crossnobis"), RSA),
    Row(
        "poisson_crossvalidated",
        "rsatoolbox calc_rdm(poisson_cv)",
        _crossvalidated("poisson_crossvalidated", "poisson_cv"),
        RSA,
        None,
        "rsatoolbox 0.3.2 overwrites its matrix in the loop over folds and returns the last fold alone; "
        "the next row takes the mean of its folds",
    ),
    Row("poisson_crossvalidated", "mean of rsatoolbox's equation over folds", _poisson_folds, RSA),
    *(
        Row(f"compare_rdms({ours})", f"rsatoolbox compare({theirs})", _compare(ours, theirs), RSA, tolerance)
        for ours, theirs, tolerance in (
            ("cosine", "cosine", 1e-10),
            ("pearson", "corr", 1e-10),
            ("spearman", "spearman", 1e-10),
            ("kendall", "tau-a", 1e-10),
            ("rho_a", "rho-a", 1e-10),
            ("whitened_cosine", "cosine_cov", 1e-8),
            ("whitened_pearson", "corr_cov", 1e-8),
        )
    ),
    Row(
        "compare_rdms(bures)",
        "rsatoolbox compare(bures)",
        _compare("bures", "bures"),
        RSA,
        1e-6,
    ),
    Row(
        "models.WeightedRDM",
        "rsatoolbox fit_regress_nn",
        _weighted,
        (*RSA, "rsatoolbox.model", "rsatoolbox.model.fitter"),
        1e-6,
    ),
    Row("compare: mean over subjects", "rsatoolbox eval_fixed", _fixed("value"),
        (*RSA, "rsatoolbox.model", "rsatoolbox.inference")),
    Row("compare: noise ceilings", "rsatoolbox eval_fixed", _fixed("ceiling"),
        (*RSA, "rsatoolbox.model", "rsatoolbox.inference")),
    Row("models.RidgeCV, one alpha", "himalaya RidgeCV", _ridge_himalaya, HIMALAYA, 1e-8),
    Row("models.KernelRidgeCV, one alpha", "himalaya KernelRidgeCV", _kernel_ridge, HIMALAYA, 1e-8),
    Row("cca", "cca_zoo CCA", _cca_zoo, ("cca_zoo.linear",), 1e-8),
    Row("cca(regularization=0.3), mean variance 1", "cca_zoo RidgeCCA(shrinkage=0.3)", _ridge_cca,
        ("cca_zoo.linear",), 1e-8),
    Row("cca", "scikit-learn CCA", _cca_sklearn, ("sklearn.cross_decomposition",), 1e-6),
    Row("models.RidgeCV, one alpha", "scikit-learn Ridge", _ridge_sklearn, ("sklearn.linear_model",), 1e-8),
    Row("models.PLSCV, 3 components", "scikit-learn PLSRegression", _pls, ("sklearn.cross_decomposition",), 1e-6),
    *(
        Row(f"rdm({ours})", f"scipy pdist({theirs})", _pdist(ours, theirs), ("scipy.spatial.distance",))
        for ours, theirs in (("correlation", "correlation"), ("sqeuclidean", "sqeuclidean"), ("cosine", "cosine"))
    ),
    Row("procrustes", "scipy orthogonal_procrustes", _procrustes, ("scipy.linalg",)),
    Row("compare_rdms(kendall), no ties", "scipy kendalltau", _kendall, ("scipy.stats",)),
    Row("one_to_one", "scipy linear_sum_assignment", _assignment, ("scipy.optimize",)),
    Row("linalg.transport", "POT emd2", _transport, ("ot",), 1e-8),
    Row("linalg.sinkhorn", "POT sinkhorn", _sinkhorn, ("ot",), 1e-6),
    Row("soft_match", "POT emd2 of -correlation", _soft_match, ("ot",), 1e-8),
    Row("stats.holm", "statsmodels multipletests(holm)", _corrected("holm", "holm"), ("statsmodels.stats.multitest",)),
    Row("stats.fdr", "statsmodels multipletests(fdr_bh)", _corrected("fdr", "fdr_bh"),
        ("statsmodels.stats.multitest",)),
    Row("compare_rdms(whitened_cosine) of squared Euclidean RDMs", "identity: biased linear CKA", _whitened),
    Row("procrustes", "identity: normalised Bures similarity of the Gram matrices", _bures, (), 1e-6),
    Row("cos shape_distance(alpha=1)", "identity: procrustes", _shape, (), 1e-8),
    Row("compare(cka) of squared Euclidean RDMs", "identity: cka of the responses", _cka_of_rdms, (), 1e-10, share=0.2),
)  # fmt: skip


NOT_COMPARED = (
    "Not compared number by number:",
    "",
    "- `models.BandedRidgeCV` and himalaya's GroupRidgeCV search penalties at random, each with draws of its own.",
    "- `kernel_cca` is scored on held-out stimuli; cca_zoo's KCCA gives in-sample variates.",
    "- Bootstraps: rsatoolbox draws stimuli and drops pairs of a stimulus with itself, ours weigh pairs: the same "
    "set of pairs; `python -m benchmarks resampling` compares draws and spreads.",
)


def run(row: Row, inputs: int) -> tuple[str, float | None]:
    """What stands in the table, and the largest difference (None: not run)."""
    modules = peer(*row.needs) if row.needs else ()
    if modules is None:
        return "peer not there", None
    worst = 0.0
    for seed in range(max(1, round(inputs * row.share))):
        with quiet():
            worst = max(worst, difference(*row.pair(np.random.default_rng(seed), modules)))
    if row.tolerance is None:
        return f"differs: {row.reason}", worst
    return ("within" if worst <= row.tolerance else "DIFFERS"), worst


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=INPUTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = [
        "# Conformance",
        "",
        f"`python -m benchmarks.conformance`: {options.inputs} random inputs a row (some fewer); largest relative "
        "difference max |ours - theirs| / max |theirs|.",
        "",
        "| ours | theirs | inputs | largest difference | tolerance | |",
        "|---|---|---|---|---|---|",
    ]
    bad = 0
    for row in ROWS:
        try:
            said, worst = run(row, options.inputs)
        except Exception as error:  # noqa: BLE001  a row that fails must not hide the others
            said, worst = f"FAILED: {type(error).__name__}: {error}", None
        bad += said.startswith(("DIFFERS", "FAILED"))
        tolerance = "-" if row.tolerance is None else f"{row.tolerance:g}"
        shown = "-" if worst is None else f"{worst:.1e}"
        count = max(1, round(options.inputs * row.share))
        lines.append(f"| {row.ours} | {row.theirs} | {count} | {shown} | {tolerance} | {said} |")
        print(lines[-1], flush=True)
    lines += ["", *NOT_COMPARED]
    TARGET.write_text("\n".join(lines) + "\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
