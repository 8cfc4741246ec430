"""Conformance: every function that a peer has too, on random inputs: the largest relative difference, or why not.

Run as ``python -m benchmarks.conformance``; peers that are not installed are looked for in the folder
CONSILIENCE_PEERS. Writes conformance.md beside this file. The relative difference of two arrays is
max |ours - theirs| / max |theirs|. A row without a tolerance differs for the reason that it states.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._conformance_inference import ROWS as INFERENCE_ROWS
from benchmarks._conformance_models import ROWS as MODEL_ROWS
from benchmarks._conformance_row import Row, difference, two
from benchmarks._conformance_rsa import ROWS as RSA_ROWS
from benchmarks._row import peer, quiet

__all__ = ["ROWS", "Row", "difference"]

TARGET = Path(__file__).with_suffix(".md")
INPUTS = 50


# scipy, POT, statsmodels ---------------------------------------------------------------------------------


def _pdist(distance: str, metric: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        x = rng.normal(size=(12, 8))
        return cs.measures.rdm(x, distance=distance), modules[0].pdist(x, metric)  # type: ignore[arg-type]

    return pair


def _procrustes(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = (v - v.mean(axis=0) for v in two(rng, 20, 7, 7))
    _, scale = modules[0].orthogonal_procrustes(x, y)
    return cs.measures.procrustes(x, y), scale / (np.linalg.norm(x) * np.linalg.norm(y))


def _kendall(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    a, b = rng.uniform(size=(2, 45))
    return cs.measures.compare_rdms(a, b, method="kendall"), modules[0].kendalltau(a, b).statistic


def _assignment(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = two(rng, 20, 7, 7)
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
    x, y = two(rng, 20, 9, 7)
    r = np.corrcoef(x.T, y.T)[:9, 9:]
    return cs.measures.soft_match(x, y), -modules[0].emd2(np.full(9, 1 / 9), np.full(7, 1 / 7), -r)


def _soft_match_sinkhorn(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    """The correlation under POT's entropic coupling, which tends to the exact one."""
    x, y = two(rng, 20, 9, 7)
    r = np.corrcoef(x.T, y.T)[:9, 9:]
    a, b = np.full(9, 1 / 9), np.full(7, 1 / 7)
    plan = modules[0].sinkhorn(a, b, -r, 2e-3, method="sinkhorn_log", stopThr=1e-10, numItermax=100000)
    return cs.measures.soft_match(x, y), np.sum(plan * r)


def _soft_match_partial(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = two(rng, 20, 9, 7)
    r = np.corrcoef(x.T, y.T)[:9, 9:]
    plan = modules[0].partial_wasserstein(np.full(9, 1 / 9), np.full(7, 1 / 7), 1 - r, m=0.6)
    return cs.measures.soft_match(x, y, mass=0.6), np.sum(plan * r) / 0.6


def _soft_match_distance(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = two(rng, 20, 9, 7)
    a, b = ((v - v.mean(axis=0)).T for v in (x, y))
    cost = modules[0].dist(a, b, metric="sqeuclidean")
    return cs.measures.soft_match_distance(x, y), np.sqrt(
        modules[0].emd2(np.full(9, 1 / 9), np.full(7, 1 / 7), cost)
    )


def _corrected(ours: str, method: str) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        p = rng.uniform(size=12) ** 3
        return getattr(cs.stats, ours)(p), modules[0].multipletests(p, method=method)[1]

    return pair


# identities ----------------------------------------------------------------------------------------------


def _whitened(rng: np.random.Generator, _: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = two(rng)
    a, b = (cs.measures.rdm(v, distance="sqeuclidean") for v in (x, y))
    return cs.measures.compare_rdms(a, b, method="whitened_cosine"), cs.measures.cka(x, y, debiased=False)


def _distance_correlation(*, debiased: bool) -> Any:
    """Szekely, Rizzo & Bakirov (2007) as sums over all entries, and Szekely & Rizzo (2014) by row sums."""

    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        x, y = two(rng)
        y[:, 0] += x[:, 0] ** 2
        n = len(x)
        a, b = (modules[0].squareform(modules[0].pdist(v)) for v in (x, y))

        def covariance(u: np.ndarray, v: np.ndarray) -> float:
            rows, whole = u.sum(axis=0) @ v.sum(axis=0), u.sum() * v.sum()
            if debiased:
                return float((u * v).sum() - 2 * rows / (n - 2) + whole / ((n - 1) * (n - 2)))
            return float((u * v).sum() - 2 * rows / n + whole / n**2)

        direct = covariance(a, b) / np.sqrt(covariance(a, a) * covariance(b, b))
        return cs.measures.distance_correlation(x, y, debiased=debiased), direct

    return pair


def _bures(rng: np.random.Generator, _: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = two(rng)
    k, l = ((v - v.mean(axis=0)) @ (v - v.mean(axis=0)).T for v in (x, y))
    values, vectors = np.linalg.eigh(k)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    inner = np.sqrt(np.clip(np.linalg.eigvalsh(root @ l @ root), 0, None)).sum()
    return cs.measures.procrustes(x, y), inner / np.sqrt(np.trace(k) * np.trace(l))


def _shape(rng: np.random.Generator, _: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = two(rng)
    return np.cos(cs.measures.shape_distance(x, y, alpha=1.0)), cs.measures.procrustes(x, y)


def _cka_of_rdms(rng: np.random.Generator, _: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = two(rng)
    ids = [f"s{i:02d}" for i in range(len(x))]
    systems = [
        cs.rdm_data(np.asarray(cs.measures.rdm(v, distance="sqeuclidean"))[None], stimulus=ids,
                    distance="sqeuclidean", subject=["p"], system=name)
        for v, name in ((x, "x"), (y, "y"))
    ]  # fmt: skip
    return cs.compare(*systems, measure="cka", n_boot=0, n_perm=0, rng=0).value, cs.measures.cka(x, y)


ROWS = (
    *RSA_ROWS,
    *INFERENCE_ROWS,
    *MODEL_ROWS,
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
    Row("soft_match", "POT sinkhorn of -correlation, epsilon 0.002", _soft_match_sinkhorn, ("ot",), 1e-2),
    Row("soft_match(mass=0.6)", "POT partial_wasserstein of 1 - correlation", _soft_match_partial, ("ot.partial",),
        1e-8),
    Row("soft_match_distance", "POT emd2 of squared distances", _soft_match_distance, ("ot",), 1e-8),
    Row("distance_correlation", "Szekely & Rizzo (2014), by row sums", _distance_correlation(debiased=True),
        ("scipy.spatial.distance",)),
    Row("distance_correlation(debiased=False)", "Szekely, Rizzo & Bakirov (2007), by row sums",
        _distance_correlation(debiased=False), ("scipy.spatial.distance",)),
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
    "- The mixtures that `models.BandedRidgeCV` and himalaya's GroupRidgeCV draw at random; above both get the same.",
    "- Values of fitted models (`evaluate_models` with `WeightedRDM` and the like): each draws its own assignments to "
    "folds; the fits themselves are compared above.",
    "- Resamples: rsatoolbox is handed the stimuli and subjects that we drew. It drops pairs of a stimulus with "
    "itself, ours weigh pairs: the same set of pairs. `python -m benchmarks resampling` times both.",
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
