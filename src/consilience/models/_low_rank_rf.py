"""`LowRankRF`: receptive fields that are a few products of a time course and a pattern in space."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._params import check_count
from consilience._core._seeds import resolve_seed
from consilience.linalg._lagged_ridge import LaggedSums, lagged_ridge, lagged_sums
from consilience.models._base import check_alphas, held_out_r2
from consilience.models._field_base import FieldBase, held_out_frames

__all__ = ["LowRankRF"]

_GRID = 10.0 ** np.arange(-4, 2)
_ROUNDS = 60
_GAIN = 1e-6


class LowRankRF(FieldBase):
    """Receptive fields of low rank, w_k = sum_r g_r(k) s_r: time courses times patterns over space (or frequency).

    Least squares with a ridge penalty, sum_t (y_t - b - sum_k w_k . x_{t-k})^2 + alpha ||w||^2, over fields of a rank;
    lag 0 is the frame of the response, lag k is k frames earlier. Time courses and patterns are solved for in turn,
    from the leading singular vectors of the ridge solution, in terms of the Gram matrix of lags and pixels (made as in
    `RidgeRF`), so that a round costs the same whatever the number of frames. Rank and penalty of each unit are chosen
    on runs of frames held out.

    Whether a field is separable at all is asked of the full ridge solution W (lags, pixels): the index s_1^2 / sum
    s_r^2 of its singular values (Depireux et al. 2001) is 1 for one product, and lower by noise alone. So it is
    compared with what it would be for the rank-1 field of the fit seen through the same stimulus, noise and penalty. In
    simulations p was below 0.05 for 0.01 of separable fields: the test is on the safe side.

    When to use which: few frames and a field that separates, such as many of visual neurons and of spectrotemporal
    fields; (lags + pixels) parameters in place of lags x pixels. Fields that move (direction selectivity) have rank 2.

    Parameters
    ----------
    lags : a number of frames, 15 = lags 0 to 14, or consecutive whole numbers, e.g. range(2, 12).
    rank : a number, or None = chosen, up to ``max_rank``.
    alphas : penalties, see `RidgeRF`; None = 1e-4 ... 10 times the mean squared length of a centred row.
    cv : number of consecutive runs of frames, each held out in turn.   gap : frames beside a held-out run that train
        nothing; None = the span of the lags.
    n_null : fields that are drawn for the index of separability.   rng : their seed.

    Attributes
    ----------
    coef_ : (units, lags, *space), always with the axis of units.   intercept_ : (units,).   rank_ : (units,).
    alpha_ : (units,).   temporal_ : (units, max rank, lags) g_r, of length 1, their largest value positive; 0 beyond
    the rank of the unit.   spatial_ : (units, max rank, *space) s_r, orthogonal, the largest first.
    cv_scores_ : (ranks, alphas, units) held-out R2.
    separability_ : (units,) the index of the full ridge solution.   separability_null_ : (units, 2) 95 % range of the
    index for an exactly separable field.   p_inseparable_ : (units,) (b + 1) / (n_null + 1), b draws at most as
    separable.   lags_ : (lags,).   n_frames_ : frames that count.   seed_ : of the draws.

    Raises
    ------
    InputError : ``too-few`` (frames with a full past), ``rows-differ``, ``nan-values``, ``bad-parameter``.

    References
    ----------
    Depireux et al. (2001); Thorson, Lienard & David (2015).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(1500, 12))
    >>> w = np.outer([0, 1, 0.5, -0.5], np.exp(-((np.arange(12) - 5) ** 2) / 4))
    >>> y = sum(np.roll(x, k, axis=0) @ w[k] for k in range(4)) + 2 * rng.normal(size=1500)
    >>> model = cs.models.LowRankRF(lags=4, rng=0).fit(x, y)
    >>> int(model.rank_[0]), model.temporal_.shape, bool(model.p_inseparable_[0] > 0.05)
    (1, (1, 3, 4), True)
    """

    def __init__(
        self,
        lags: Any = 1,
        *,
        rank: int | None = None,
        max_rank: int = 3,
        alphas: Any = None,
        cv: int = 5,
        gap: int | None = None,
        n_null: int = 200,
        rng: Any = None,
    ) -> None:
        self.lags = lags
        self.rank = rank
        self.max_rank = max_rank
        self.alphas = alphas
        self.cv = cv
        self.gap = gap
        self.n_null = n_null
        self.rng = rng

    def fit(self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None) -> LowRankRF:
        """Fits. stimulus : (n, *space), frames in order of time.   y : (n,) or (n, units), one value a frame.
        times : (n,) seconds; a jump of 1.5 steps or more is a break.   trials : (n,) labels; a change is a break. No
        lag reaches over a break.
        """
        who = "LowRankRF"
        draws = check_count(self.n_null, name="n_null", who=who)
        data = self._check(stimulus, y, times, trials, fewest=4, exact=True)
        series = data.series
        alphas = check_alphas(self.alphas, who, series.size, 2)
        gap = series.n_lags - 1 if self.gap is None else check_count(self.gap, name="gap", who=who)
        most = min(series.n_lags, series.p)
        if self.rank is not None:
            ranks = [min(check_count(self.rank, name="rank", who=who, minimum=1), most)]
        else:
            top = check_count(self.max_rank, name="max_rank", who=who, minimum=1)
            ranks = list(range(1, min(top, most) + 1))
        folds = held_out_frames(data.rows, self.cv, gap, who)
        sums = lagged_sums(series, data.y, folds)
        gram, cross, _ = sums.whole.centred()
        grid = _GRID * max(float(np.trace(gram)) / data.n, 1e-300) if alphas is None else alphas
        errors, total = _held_out(sums, ranks, grid, (series.n_lags, series.p))
        flat = errors.reshape(-1, errors.shape[2])
        choice = np.argmin(flat, axis=0)
        self.rank_ = np.array(ranks)[choice // grid.size]
        chosen = grid[choice % grid.size]
        path = _Path(gram, cross)
        fields = np.stack(
            [
                path.low_rank(u, int(r), float(a), (series.n_lags, series.p))
                for u, (r, a) in enumerate(zip(self.rank_, chosen))
            ]
        )  # (t, lags, p)
        self._keep(data)
        mean, about = sums.whole.y / data.n, sums.whole.d / data.n
        weights = fields.reshape(len(fields), -1).T / series.size
        self._set_weights(weights, data, mean, about)
        self.coef_ = self._shaped(weights)
        self.alpha_ = chosen * series.size**2
        self.alphas_ = grid * series.size**2
        self.cv_scores_ = held_out_r2(errors, total)
        self._parts(fields / series.size, max(ranks))
        ridge = lagged_ridge(series, data.y, None, folds)
        seed = resolve_seed(self.rng, who=who)
        self.seed_ = str(seed)
        self._separability(path, ridge, errors, grid, ranks, draws, seed.stream("separable"))
        return self

    def _parts(self, fields: np.ndarray, most: int) -> None:
        t = len(fields)
        self.temporal_ = np.zeros((t, most, fields.shape[1]))
        self.spatial_ = np.zeros((t, most, *self.space_))
        for u, field in enumerate(fields):
            left, s, right = np.linalg.svd(field, full_matrices=False)
            for r in range(int(self.rank_[u])):
                sign = 1.0 if left[np.abs(left[:, r]).argmax(), r] > 0 else -1.0
                self.temporal_[u, r] = sign * left[:, r]
                self.spatial_[u, r] = (sign * s[r] * right[r]).reshape(self.space_)

    def _separability(
        self,
        path: _Path,
        ridge: Any,
        errors: np.ndarray,
        grid: np.ndarray,
        ranks: list[int],
        draws: int,
        generator: np.random.Generator,
    ) -> None:
        t, lags = ridge.alpha.size, self.lags_.size
        self.separability_ = np.full(t, np.nan)
        self.separability_null_, self.p_inseparable_ = np.full((t, 2), np.nan), np.full(t, np.nan)
        for u in range(t):
            full = ridge.weights[:, u].reshape(lags, -1)
            if not np.any(full):
                continue
            self.separability_[u] = _index(full)
            if not draws or min(full.shape) < 2:
                continue
            alpha = float(grid[np.argmin(errors[0, :, u])]) if ranks[0] == 1 else float(ridge.alpha[u])
            one = path.low_rank(u, 1, alpha, full.shape).ravel()
            noise = generator.normal(size=(path.values.size, draws)) * np.sqrt(
                ridge.noise[u] * path.values[:, None]
            )
            signal = path.values * (path.vectors.T @ one)
            drawn = path.vectors @ ((signal[:, None] + noise) / (path.values + ridge.alpha[u])[:, None])
            index = _index(drawn.T.reshape(draws, *full.shape))
            self.separability_null_[u] = np.quantile(index, [0.025, 0.975])
            self.p_inseparable_[u] = (1 + int((index <= self.separability_[u]).sum())) / (draws + 1)


def _index(field: np.ndarray) -> Any:
    """s_1^2 / sum s^2 of (..., lags, pixels)."""
    s = np.linalg.svd(field, compute_uv=False) ** 2
    return s[..., 0] / s.sum(axis=-1)


class _Path:
    """Ridge solutions of D'D and D'y for any penalty, and fields of low rank from there."""

    def __init__(self, gram: np.ndarray, cross: np.ndarray) -> None:
        self.gram, self.cross = gram, cross
        values, self.vectors = np.linalg.eigh(gram)
        self.values = np.maximum(values, 0.0)
        self.turned = self.vectors.T @ cross

    def low_rank(self, u: int, rank: int, alpha: float, shape: tuple[int, int]) -> np.ndarray:
        """(lags, p) the least penalised squared error over fields of the rank, as far as rounds in turn find it."""
        lags, p = shape
        start = self.vectors @ (self.turned[:, u] / (self.values + alpha))
        if rank >= min(shape) or not np.any(start):
            return start.reshape(shape)
        gram, cross = self.gram.reshape(lags, p, lags, p), self.cross[:, u].reshape(shape)
        time = np.linalg.svd(start.reshape(shape), full_matrices=False)[0][:, :rank]
        before = np.inf
        for _ in range(_ROUNDS):
            half = np.tensordot(time, gram, axes=(0, 0))  # (r, p, lags, p)
            inner = np.tensordot(half, time, axes=(2, 0)).transpose(0, 1, 3, 2).reshape(rank * p, rank * p)
            inner[np.diag_indices(rank * p)] += alpha
            space = np.linalg.solve(inner, (time.T @ cross).ravel()).reshape(rank, p)
            space = np.linalg.qr(space.T)[0]  # (p, r)
            half = np.tensordot(gram, space, axes=(3, 0))  # (lags, p, lags, r)
            inner = np.tensordot(space, half, axes=(0, 1)).transpose(1, 0, 2, 3).reshape(lags * rank, -1)
            inner[np.diag_indices(lags * rank)] += alpha
            right = (cross @ space).ravel()
            found = np.linalg.solve(inner, right)
            loss = -float(right @ found)
            field = found.reshape(lags, rank)
            if before - loss <= _GAIN * abs(loss):
                break
            before, time = loss, np.linalg.qr(field)[0]
        return field @ space.T


def _held_out(
    sums: LaggedSums, ranks: list[int], grid: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """(ranks, alphas, t) summed squared errors of held-out frames, (t,) those of the training mean."""
    t = sums.whole.y.size
    errors, total = np.zeros((len(ranks), grid.size, t)), np.zeros(t)
    for inside, test in sums.folds():
        d, m = inside.d / inside.n, inside.y / inside.n
        gram, cross, _ = inside.about(d, m)
        path = _Path(gram, cross)
        gram_out, cross_out, square_out = test.about(d, m)
        total += square_out
        for i, rank in enumerate(ranks):
            for k, alpha in enumerate(grid):
                w = np.stack([path.low_rank(u, rank, float(alpha), shape).ravel() for u in range(t)], axis=1)
                errors[i, k] += square_out + np.einsum("ij,ij->j", w, gram_out @ w - 2 * cross_out)
    return errors, total
