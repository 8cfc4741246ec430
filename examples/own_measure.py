"""A measure of one's own: first a bare function, then with claims and parts, tested and with an interval."""

import numpy as np
from scipy.spatial.distance import pdist, squareform

import consilience as cs


def neighbours_shared(x, y, k=5):
    """Mean share of the k nearest neighbours that a stimulus has in both systems. Chance is k/(n-1)."""

    def nearest(z):
        d = squareform(pdist(z))
        np.fill_diagonal(d, np.inf)
        return np.argsort(d, axis=1)[:, :k]

    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(nearest(x), nearest(y))]))


def pair_vector(x):
    """U-centred Laplacian kernel, exp(-d / median d), above the diagonal."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[0] < 4:
        raise cs.InputError(f"laplacian_alignment: at least 4 stimuli are needed, got shape {x.shape}.")
    d = pdist(x.astype(np.float64))
    k = squareform(np.exp(-d / (np.median(d) or 1.0)))  # zero diagonal
    n, row = k.shape[0], k.sum(axis=0)
    centred = k - row[:, None] / (n - 2) - row[None, :] / (n - 2) + row.sum() / ((n - 1) * (n - 2))
    vector = centred[np.triu_indices(n, 1)]
    if np.abs(vector).max() <= 1e-12:
        raise cs.InputError("laplacian_alignment: all stimuli are equally far apart.")
    return vector


def parts():
    return cs.measures.PairParts(pair_vector)


@cs.measures.measure(
    claims=cs.measures.Claims(
        label="Laplacian kernel alignment (debiased)",
        range=(-1.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=frozenset({"translation", "scaling", "rotation", "permutation"}),
        resample="pairs",
        min_stimuli=4,
        libraries=("numpy",),
        converts=True,
        references=("szekely2014partial",),
        method="The debiased alignment of U-centred Laplacian kernels was computed.",
    ),
    parts=parts,
)
def laplacian_alignment(x, y, /):
    """Debiased alignment of Laplacian kernels; 0 for unrelated systems."""
    if len(x) != len(y):
        raise cs.InputError(f"laplacian_alignment: {len(x)} and {len(y)} stimuli.")
    made = parts()
    return made.combine(made.prepare(x)[None], made.prepare(y)[None])[0, 0]


rng = np.random.default_rng(0)
ids = [f"image{i}" for i in range(50)]
signal = rng.normal(size=(50, 4))
a = cs.responses(signal @ rng.normal(size=(4, 40)), stimulus=ids, system="a")
b = cs.responses(signal @ rng.normal(size=(4, 40)) + 3 * rng.normal(size=(50, 40)), stimulus=ids, system="b")

print("A bare function: value and p, no interval (it states no way of resampling stimuli).")
print(cs.compare(a, b, measure=neighbours_shared, n_boot=300, n_perm=300, rng=0))

rows = cs.testing.check_measure(laplacian_alignment)  # raises where a claim does not hold
print(f"\nWith claims and parts: {sum(row.passed for row in rows)} of {len(rows)} claims hold.")
print(cs.compare(a, b, measure=["laplacian_alignment", "cka"], n_boot=300, n_perm=300, rng=0))
