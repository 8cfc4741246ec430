"""Maps of neighbours (t-SNE, UMAP, others) that say how stable they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_option, require, shorten
from consilience._core._seeds import resolve_seed
from consilience.stats import nearest_rows, neighbours_shared, p_value, trustworthiness

__all__ = ["Embedding"]

WHO = "Embedding"
_METHODS = ("tsne", "umap")


def _transforms(model: Embedding) -> bool:
    return hasattr(getattr(model, "estimator_", model.method), "transform")


class Embedding(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """A map of rows in a few dimensions by t-SNE, UMAP or any embedding estimator, run several times.

    Such a map has no axes and keeps no distances, and another seed gives another one; what can be read off it is who
    is near to whom. So it is made with ``n_seeds`` seeds and of ``n_subsamples`` random parts of the rows, and for
    each row the k nearest neighbours are compared,

        share = |N_a(i) and N_b(i)| / k,

    of the map and the data (kept), of maps of two seeds, and of maps of two subsamples, among rows that both hold. The
    null of ``neighbours_kept_`` is the same pipeline on data whose columns (units) are permuted, each by itself.

    Parameters
    ----------
    method : "tsne" (scikit-learn's), "umap" (umap-learn, if installed), or an estimator with fit_transform, such as
        scikit-learn's Isomap; its ``random_state``, if it has one, is set to each seed.
    n_components : dimensions of the map, of "tsne" and "umap".   n_neighbours : k, also perplexity and n_neighbors of
        these; at most a quarter of the rows of a subsample.
    n_seeds, n_subsamples : maps that are compared, 2 or more.   share : of rows in a subsample.
    n_null : maps of permuted data.   rng : seed.   options : further
        parameters of "tsne" or "umap", {name: value}.

    Attributes
    ----------
    embedding_ : (n, n_components), the first seed's.   embeddings_ : (n_seeds, n, n_components).
    neighbours_kept_, stable_over_seeds_, stable_over_subsamples_ : (n,) shares, see above.
    chance_ : k / (n - 1).   null_ : (n_null,) means of shares kept of permuted data; null_high_ : their 95 % quantile;
    p_ : of the mean kept.   trustworthiness_ : of Venna & Kaski (2001).   estimator_ : of the first seed.
    n_neighbours_ : k.   n_components_.

    References
    ----------
    van der Maaten & Hinton (2008); McInnes et al. (2018); Venna & Kaski (2001).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> from sklearn.manifold import Isomap
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 2 * np.pi, 120)
    >>> ring = np.cos(angle[:, None] - np.linspace(0, 2 * np.pi, 9)[:-1]) + 0.05 * rng.normal(size=(120, 8))
    >>> model = cs.models.Embedding(Isomap(n_neighbors=8), n_neighbours=8, n_null=19, rng=0).fit(ring)
    >>> bool(model.neighbours_kept_.mean() > 0.8), bool(model.p_ <= 0.05)
    (True, True)
    """

    def __init__(
        self,
        method: Any = "tsne",
        *,
        n_components: int = 2,
        n_neighbours: int = 15,
        n_seeds: int = 3,
        n_subsamples: int = 4,
        share: float = 0.8,
        n_null: int = 19,
        rng: Any = 0,
        options: Any = None,
    ) -> None:
        self.method = method
        self.n_components = n_components
        self.n_neighbours = n_neighbours
        self.n_seeds = n_seeds
        self.n_subsamples = n_subsamples
        self.share = share
        self.n_null = n_null
        self.rng = rng
        self.options = options

    def fit(self, X: Any, y: Any = None) -> Embedding:
        """Makes the maps. X : (n, units).   y : ignored."""
        x = validate_data(self, X, dtype=np.float64, ensure_min_samples=8)
        n = len(x)
        k = check_count(self.n_neighbours, name="n_neighbours", who=WHO, minimum=1)
        seeds = check_count(self.n_seeds, name="n_seeds", who=WHO, minimum=2)
        parts = check_count(self.n_subsamples, name="n_subsamples", who=WHO, minimum=2)
        nulls = check_count(self.n_null, name="n_null", who=WHO)
        k = min(k, round(float(self.share) * n) // 4)
        size = round(float(self.share) * n)
        if not 4 * k <= size <= n:
            raise InputError(
                f"{WHO}: share={shorten(self.share)} of {n} rows must be at least 4 n_neighbours = {4 * k} rows; give "
                "fewer neighbours, a larger share or more rows.",
                code="bad-parameter",
            )
        if not x.var(axis=0).any():
            raise InputError(f"{WHO}: no unit of {x.shape[1]} varies.", code="constant-units")
        seed = resolve_seed(self.rng, who=WHO)
        draw = seed.stream("seeds")
        self.n_neighbours_ = k
        self.chance_ = k / (n - 1)
        maps = []
        for i in range(seeds):
            made, z = self._map(x, int(draw.integers(2**31)), k)
            if i == 0:
                self.estimator_ = made
            maps.append(z)
        self.embeddings_ = np.array(maps)
        self.embedding_ = maps[0]
        self.n_components_ = int(maps[0].shape[1])
        near = [nearest_rows(z, k) for z in maps]
        own = nearest_rows(x, k)
        self.neighbours_kept_ = neighbours_shared(near[0], own)
        pairs = [(i, j) for i in range(seeds) for j in range(i)]
        self.stable_over_seeds_ = np.mean([neighbours_shared(near[i], near[j]) for i, j in pairs], axis=0)
        self.stable_over_subsamples_ = self._over_subsamples(x, size, parts, k, seed.stream("subsamples"))
        self.trustworthiness_ = trustworthiness(x, near[0])
        stream = seed.stream("null")
        null = np.empty(nulls)
        for i in range(nulls):
            permuted = np.take_along_axis(x, np.argsort(stream.random(x.shape), axis=0), axis=0)
            z = self._map(permuted, int(stream.integers(2**31)), k)[1]
            null[i] = neighbours_shared(nearest_rows(z, k), nearest_rows(permuted, k)).mean()
        self.null_ = null
        self.null_high_ = float(np.quantile(null, 0.95)) if nulls else float("nan")
        self.p_ = float(p_value(self.neighbours_kept_.mean(), null)) if nulls else float("nan")
        return self

    def _over_subsamples(
        self, x: np.ndarray, size: int, parts: int, k: int, rng: np.random.Generator
    ) -> np.ndarray:
        n = len(x)
        total, count = np.zeros((2, n))
        drawn = [np.sort(rng.permutation(n)[:size]) for _ in range(parts)]
        maps = [self._map(x[rows], int(rng.integers(2**31)), k)[1] for rows in drawn]
        for i in range(parts):
            for j in range(i):
                both = np.intersect1d(drawn[i], drawn[j])
                if both.size < 2 * k + 2:
                    continue
                a, b = (nearest_rows(maps[m][np.searchsorted(drawn[m], both)], k) for m in (i, j))
                total[both] += neighbours_shared(a, b)
                count[both] += 1
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def _map(self, x: np.ndarray, seed: int, k: int) -> tuple[Any, np.ndarray]:
        made = self._estimator(seed, k)
        return made, np.asarray(made.fit_transform(x), dtype=np.float64)

    def _estimator(self, seed: int, k: int) -> Any:
        if not isinstance(self.method, str):
            if isinstance(self.method, type) or not hasattr(self.method, "fit_transform"):
                raise InputError(
                    f"{WHO}: method must be 'tsne', 'umap' or an estimator with fit_transform, got "
                    f"{shorten(self.method)}.",
                    code="bad-parameter",
                )
            made = clone(self.method)
            if "random_state" in made.get_params(deep=False):
                made.set_params(random_state=seed)
            return made
        check_option(self.method, _METHODS, name="method", who=WHO)
        dims = check_count(self.n_components, name="n_components", who=WHO, minimum=1)
        more = dict(self.options or {})
        if self.method == "umap":
            umap = require("umap", extra="embeddings", purpose="An embedding by UMAP")
            return umap.UMAP(
                **{"n_components": dims, "n_neighbors": k, "random_state": seed, "n_jobs": 1, **more}
            )
        from sklearn.manifold import TSNE

        perplexity = max(2.0, float(k))
        # started at random: from principal components, seeds would agree by their start
        chosen = {
            "n_components": dims,
            "perplexity": perplexity,
            "init": "random",
            "random_state": seed,
            **more,
        }
        return TSNE(**chosen)

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """The map of X, (n, n_components)."""
        return np.asarray(self.fit(X).embedding_)

    @available_if(_transforms)
    def transform(self, X: Any) -> np.ndarray:
        """Places of rows X in the map of the first seed, where the method has such a thing (t-SNE has none)."""
        check_is_fitted(self, "embedding_")
        x = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.estimator_.transform(x), dtype=np.float64)
