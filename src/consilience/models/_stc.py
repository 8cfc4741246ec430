"""`SpikeTriggeredCovariance`: axes of the stimulus along which a spike changes the variance."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience.models._field_base import Data, are_counts, checked_data
from consilience.models._principal import principal
from consilience.models._stc_null import average_p, nested_test, weighted_moments

__all__ = ["SpikeTriggeredCovariance"]


class SpikeTriggeredCovariance(BaseEstimator):
    """Axes along which the stimulus before a spike varies more, or less, than it does over all frames.

    With z the stimulus over lags and pixels, centred and whitened (z = L^-1/2 V'(d - mean), covariance V L V'), and
    spikes y, N = sum y, m = sum_t y_t z_t / N,

        C = P (sum_t y_t z_t z_t' / N - m m') P,    P = I - m m' / m'm,

    so that the axis of the spike-triggered average is out, where that average is told from chance (``project``); else
    P = I, as an average of noise lies where the unit is driven, and would take much of an axis with it. Chance is what
    m' S^-1 m, S the covariance of the stimuli of the spikes, comes to for the shifts below. An eigenvalue above 1 is an
    axis whose size, of either sign, drives the unit (excitatory); below 1, one that stops it (suppressive). A complex
    cell has two excitatory axes, a quadrature pair, and an average of 0. For responses that are no counts C is the
    second-order kernel E[(y - mean y) z z'], without P, and 0 takes the place of 1.

    Which axes are real is decided against responses shifted around in time as a whole: both keep their autocorrelation,
    only their relation is gone. The most extreme eigenvalue is compared with the most extreme of each shift; where it
    is beyond, its axis is taken out of data and shifts, and the next is tested (nested; Schwartz et al. 2006), at
    ``level`` split evenly between both ends. In simulations (smooth stimulus, slow spikes; unrelated or
    linear-exponential units) some axis was found in 0.04 to 0.07 of units at level 0.05. Shuffling frames instead would
    break the autocorrelation of smooth or natural stimuli, give a null that is far too narrow, and make axes of noise
    significant. For a stimulus that is not Gaussian (natural images) axes can also come from its own shape: where the
    spikes pick a part of it, variance along other axes changes too. Then axes are hints, and their number is too
    large; `QuadraticRF` asks for no Gaussian stimulus.

    Many units share the whitened stimulus; a unit costs one product over the frames in which it fired, a shift one
    more.

    Parameters
    ----------
    lags : a number of frames, 15 = lags 0 to 14, or consecutive whole numbers, e.g. range(2, 12).
    n_axes : at most so many excitatory and so many suppressive axes are kept.
    n_components : so many principal components of the stimulus at most; None = all above ``cut``. Whitened frames take
        4 n n_components bytes. Few components are a sharper test: more than a tenth of the number of spikes is too
        many.
    cut : components with less than ``cut`` times the largest variance are left out.
    n_null : shifts for each unit; 0 = no test.   level : of the family of tests of one unit.
    project : "auto" takes the average out of C where p of it is at most ``level`` (without shifts, p of chi-square);
    True always, False never; or (units,) of those. Of counts only.   response : "counts", "values", or "auto".   rng :
    seed of the shifts.

    Attributes
    ----------
    excitatory_, suppressive_ : (units, n_axes, lags, *space) filters w: w . (d - mean) has variance 1 over frames; of
    either sign. The most extreme first; only the first ``n_excitatory_``, ``n_suppressive_`` (units,) are significant.
    eigenvalues_ : (units, n_components_) from the largest; where the average is out, one less and NaN at the end.
    p_excitatory_, p_suppressive_ : (units, n_axes) nested p-values, (b + 1) / (n_null + 1) of one end; NaN where the
    axis before it was not significant.   null_ : (units, 2) largest and smallest eigenvalue that shifts reach
    (quantiles level / 2 of the first test).
    sta_ : (units, lags, *space) filter of the whitened average, of variance 1.   sta_size_ : (units,) |m|, in standard
    deviations.   p_sta_ : (units,) of the average; NaN for values.   projected_ : (units,) whether it is out.
    n_components_ : in use.   lags_ : (lags,).   n_frames_ : frames that count.   seed_ : of the shifts.

    Raises
    ------
    InputError : ``too-few`` (frames with a full past), ``rows-differ``, ``nan-values``, ``bad-parameter``,
        ``no-structure``, ``negative-counts``.

    References
    ----------
    de Ruyter van Steveninck & Bialek (1988); Rust et al. (2005); Schwartz et al. (2006).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(8000, 10))
    >>> y = rng.poisson(0.3 * x[:, 3] ** 2)  # either sign of one pixel
    >>> stc = cs.models.SpikeTriggeredCovariance(n_null=50, rng=0).fit(x, y)
    >>> stc.n_excitatory_, stc.n_suppressive_, int(np.abs(stc.excitatory_[0, 0]).argmax())
    (array([1]), array([0]), 3)
    """

    def __init__(
        self,
        lags: Any = 1,
        *,
        n_axes: int = 4,
        n_components: int | None = None,
        cut: float = 0.01,
        n_null: int = 100,
        level: float = 0.05,
        project: Any = "auto",
        response: str = "auto",
        rng: Any = None,
    ) -> None:
        self.lags = lags
        self.n_axes = n_axes
        self.n_components = n_components
        self.cut = cut
        self.n_null = n_null
        self.level = level
        self.project = project
        self.response = response
        self.rng = rng

    def fit(
        self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None
    ) -> SpikeTriggeredCovariance:
        """Fits. stimulus : (n, *space), frames in order of time.   y : (n,) or (n, units), one value a frame.
        times : (n,) seconds; a jump of 1.5 steps or more is a break.   trials : (n,) labels; a change is a break. No
        lag reaches over a break; shifts go around over all frames that count.
        """
        who = "SpikeTriggeredCovariance"
        axes = check_count(self.n_axes, name="n_axes", who=who, minimum=1)
        shifts = check_count(self.n_null, name="n_null", who=who)
        level = check_number(self.level, name="level", who=who, low=0.0, high=1.0)
        kind = check_option(self.response, ("auto", "counts", "values"), name="response", who=who)
        data = checked_data(stimulus, y, self.lags, times, trials, who=who, fewest=8)
        responses = data.y[data.rows]
        counts = bool(are_counts(responses).all()) if kind == "auto" else kind == "counts"
        if counts and (responses < 0).any():
            raise InputError(
                f"{who}.fit: responses below 0 are no counts; give response='values'.", code="negative-counts"
            )
        if shifts and level / 2 * (shifts + 1) < 1:
            raise InputError(
                f"{who}: n_null={shifts} shifts cannot reach p = {level / 2:g} of one end; at least "
                f"{int(np.ceil(2 / level)) - 1} are needed.",
                code="bad-parameter",
            )
        scores = principal(data, self.n_components, self.cut, who=who)
        z, basis = scores.whitened()
        seed = resolve_seed(self.rng, who=who)
        self.seed_ = str(seed)
        self._describe(data, counts, z.shape[1], axes)
        project = self._wanted(responses.shape[1], who)
        generator = seed.stream("shifts")
        few = 0
        for u in range(responses.shape[1]):
            few += self._unit(
                u, responses[:, u], z, basis, counts, axes, shifts, level, project[u], generator
            )
        if few:
            warn(
                "few-spikes",
                f"{who}: {few} of {responses.shape[1]} units have fewer than 10 spikes for each of "
                f"{z.shape[1]} components; their eigenvalues are spread by chance alone, and few axes can be found.",
                "A smaller n_components, fewer lags or pixels, or more frames.",
            )
        return self

    def _wanted(self, units: int, who: str) -> list[bool | None]:
        """Whether the average of each unit is to be out; None = as tested."""
        if isinstance(self.project, str):
            check_option(self.project, ("auto",), name="project", who=who)
            return [None] * units
        given = np.asarray(self.project)
        if given.dtype != bool or given.shape not in ((), (units,)):
            raise InputError(
                f"{who}: project must be 'auto', True, False or one of those for each of {units} units, got "
                f"{shorten(self.project)}.",
                code="bad-parameter",
            )
        return [bool(one) for one in np.broadcast_to(given, (units,))]

    def _describe(self, data: Data, counts: bool, k: int, axes: int) -> None:
        series, t = data.series, data.y.shape[1]
        shape = (t, axes, series.n_lags, *data.space)
        self.lags_ = np.arange(series.first, series.last + 1)
        self.space_, self.n_frames_, self.n_components_ = data.space, data.n, k
        self.n_features_in_ = series.p
        self.response_ = "counts" if counts else "values"
        self.excitatory_, self.suppressive_ = np.full(shape, np.nan), np.full(shape, np.nan)
        self.eigenvalues_ = np.full((t, k), np.nan)
        self.p_excitatory_, self.p_suppressive_ = np.full((t, axes), np.nan), np.full((t, axes), np.nan)
        self.n_excitatory_, self.n_suppressive_ = np.zeros(t, np.int64), np.zeros(t, np.int64)
        self.null_ = np.full((t, 2), np.nan)
        self.p_sta_, self.projected_ = np.full(t, np.nan), np.zeros(t, dtype=bool)
        self.sta_, self.sta_size_ = np.full((t, series.n_lags, *data.space), np.nan), np.zeros(t)

    def _unit(
        self,
        u: int,
        y: np.ndarray,
        z: np.ndarray,
        basis: np.ndarray,
        counts: bool,
        axes: int,
        shifts: int,
        level: float,
        project: bool | None,
        generator: np.random.Generator,
    ) -> bool:
        """One unit's eigenvalues, axes and tests; says whether it has too few spikes."""
        total = float(y.sum())
        if (counts and total < 2) or np.ptp(y) == 0:
            return True
        space = self.sta_.shape[1:]
        found = weighted_moments(z, y, counts=counts)
        size = float(np.linalg.norm(found.mean))
        self.sta_size_[u] = size
        if size > 0:
            self.sta_[u] = (basis @ (found.mean / size)).reshape(space)
        drawn = []
        if shifts:
            least = min(self.lags_.size, len(y) // 4)
            steps = generator.integers(least, len(y) - least + 1, size=shifts)
            drawn = [weighted_moments(z, np.roll(y, int(s)), counts=counts) for s in steps]
        if counts:
            self.p_sta_[u] = average_p(
                found, drawn, total, total**2 / float((y.astype(np.float64) ** 2).sum())
            )
            self.projected_[u] = self.p_sta_[u] <= level if project is None else project
        reflect = _reflection(found.mean) if self.projected_[u] else None
        values, vectors = np.linalg.eigh(_without_axis(found.matrix, reflect))
        self.eigenvalues_[u, : values.size] = values[::-1]
        k = min(axes, values.size)
        kept = np.concatenate([vectors[:, ::-1][:, :k], vectors[:, :k]], axis=1)
        turned = (basis @ _back(kept, reflect)).T.reshape(2 * k, *space)
        self.excitatory_[u, :k], self.suppressive_[u, :k] = turned[:k], turned[k:]
        if shifts:
            null = np.stack([_without_axis(one.matrix, reflect) for one in drawn])
            tested = nested_test(values, vectors, null, axes, level / 2)
            self.p_excitatory_[u], self.p_suppressive_[u], self.null_[u] = (
                tested.p_high,
                tested.p_low,
                tested.limits,
            )
            self.n_excitatory_[u], self.n_suppressive_[u] = tested.n_high, tested.n_low
        return counts and total < 10 * z.shape[1]

    def axes(self, unit: int = 0) -> np.ndarray:
        """(k, lags, *space) significant axes of a unit, excitatory before suppressive."""
        check_is_fitted(self, "excitatory_")
        return np.concatenate(
            [
                self.excitatory_[unit, : self.n_excitatory_[unit]],
                self.suppressive_[unit, : self.n_suppressive_[unit]],
            ]
        )


def _reflection(axis: np.ndarray) -> np.ndarray:
    """Unit v such that I - 2 v v' takes ``axis`` to the first coordinate."""
    size = np.linalg.norm(axis)
    v = axis / size if size > 0 else np.zeros(axis.size)
    v[0] += 1.0 if v[0] >= 0 else -1.0
    return v / np.linalg.norm(v)


def _without_axis(matrix: np.ndarray, v: np.ndarray | None) -> np.ndarray:
    """(k - 1, k - 1) a symmetric matrix in coordinates of what is orthogonal to the axis of ``v``."""
    if v is None:
        return matrix
    half = matrix @ v
    outer = np.outer(v, 2.0 * (v @ half) * v - 2.0 * half)
    return (matrix + outer + outer.T)[1:, 1:]


def _back(vectors: np.ndarray, v: np.ndarray | None) -> np.ndarray:
    """Vectors of those coordinates in all k."""
    if v is None:
        return vectors
    out = np.concatenate([np.zeros((1, vectors.shape[1])), vectors])
    return out - 2.0 * np.outer(v, v @ out)
