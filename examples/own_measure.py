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
    """U-centred Euclidean distances, above the diagonal."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[0] < 4:
        raise cs.InputError(f"distance_correlation: at least 4 stimuli are needed, got shape {x.shape}.")
    d = squareform(pdist(x.astype(np.float64)))
    n, row = d.shape[0], d.sum(axis=0)
    centred = d - row[:, None] / (n - 2) - row[None, :] / (n - 2) + row.sum() / ((n - 1) * (n - 2))
    vector = centred[np.triu_indices(n, 1)]
    if np.abs(vector).max() <= 1e-12 * d.max():
        raise cs.InputError("distance_correlation: all stimuli are equally far apart.")
    return vector


def parts():
    return cs.measures.PairParts(pair_vector)


@cs.measures.measure(
    claims=cs.measures.Claims(
        label="distance correlation (bias-corrected)",
        range=(-1.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=frozenset({"translation", "scaling", "rotation", "permutation"}),
        resample="pairs",
        min_stimuli=4,
        libraries=("numpy",),
        converts=True,
        references=("szekely2014partial",),
        method="The bias-corrected distance correlation was computed from U-centred Euclidean distances.",
    ),
    parts=parts,
)
def distance_correlation(x, y, /):
    """Bias-corrected distance correlation (Szekely & Rizzo 2014); 0 for unrelated systems."""
    if len(x) != len(y):
        raise cs.InputError(f"distance_correlation: {len(x)} and {len(y)} stimuli.")
    made = parts()
    return made.combine(made.prepare(x)[None], made.prepare(y)[None])[0, 0]


rng = np.random.default_rng(0)
ids = [f"image{i}" for i in range(50)]
signal = rng.normal(size=(50, 4))
a = cs.responses(signal @ rng.normal(size=(4, 40)), stimulus=ids, system="a")
b = cs.responses(signal @ rng.normal(size=(4, 40)) + 3 * rng.normal(size=(50, 40)), stimulus=ids, system="b")

print("A bare function: value and p, no interval (it states no way of resampling stimuli).")
print(cs.compare(a, b, measure=neighbours_shared, n_boot=300, n_perm=300, rng=0))

rows = cs.testing.check_measure(distance_correlation)  # raises where a claim does not hold
print(f"\nWith claims and parts: {sum(row.passed for row in rows)} of {len(rows)} claims hold.")
print(cs.compare(a, b, measure=["distance_correlation", "cka"], n_boot=300, n_perm=300, rng=0))
