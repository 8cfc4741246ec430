"""Conformance with rsatoolbox: RDMs, their comparison, and models of them."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._conformance_row import Row, two

__all__ = ["ROWS"]

RSA = ("rsatoolbox.data", "rsatoolbox.rdm")


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
        a, b = (np.asarray(cs.measures.rdm(x, distance="euclidean")) for x in two(rng, 12))
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
)  # fmt: skip
