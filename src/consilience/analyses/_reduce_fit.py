"""Models as `reduce` fits them: what each is given, its latents, its axes, what it explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.analyses._checks import refused_model
from consilience.analyses._reduce_apart import again_apart
from consilience.analyses._reduce_rows import WHO, Rows
from consilience.models._latent_cv import LatentCV
from consilience.models._static_latent import StaticLatent
from consilience.stats import component_gains, gains_about_means, without_each

__all__ = ["Fitted", "Fitter", "inner_of", "prepared"]


def prepared(model: Any, rows: Rows, average: Any) -> tuple[Any, bool]:
    """A copy of the model that suits the data, and whether it is fitted to means of conditions."""
    from consilience.models import PCA, Embedding

    if model is None:
        few = len(rows.x) if rows.x.ndim == 2 else rows.x.shape[0] * rows.x.shape[1]
        most = rows.x.shape[-1] - bool(
            np.isnan(rows.x).any()
        )  # with missing values some variance must be left over
        model = PCA(max(min(10, few - 1, most), 1))
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "get_params")):
        what = (
            "got a class: call it first, as in cs.models.PCA(3)"
            if isinstance(model, type)
            else "got a function, which has no axes to report"
            if _plain_function(model)
            else refused_model(model)
        )
        raise InputError(
            f"{WHO}: model must be an estimator such as cs.models.PCA(3), or one of scikit-learn's that transforms; "
            f"{what}.",
            code="bad-parameter",
        )
    if not (hasattr(model, "transform") or hasattr(model, "fit_transform")):
        raise InputError(
            f"{WHO}: {type(model).__name__} has no transform, and so no latents; give an estimator that reduces, such "
            "as cs.models.PCA(3).",
            code="bad-parameter",
        )
    if type(model).__module__.startswith(("sklearn.manifold", "umap")):
        model = Embedding(model)  # no map without its stability
    model = clone(model)
    params = model.get_params(deep=False)
    inner = inner_of(model)
    options = inner.get_params(deep=False)
    if options.get("missing") == "raise" and np.isnan(rows.x).any():
        inner.set_params(missing="mask")
    if options.get("bin_width") == 1.0 and "time" in rows.data.coords and rows.data.sizes["time"] > 1:
        inner.set_params(bin_width=float(np.median(np.diff(rows.data["time"].values))))
    if rows.sessions is not None and (average is False or (needs_labels(model) and not _joins(model))):
        raise InputError(
            f"{WHO}: the units of a pseudo-population share no trial, so that "
            + (
                f"{type(model).__name__}, which takes single trials of all units, cannot be fitted"
                if average is not False
                else "average=False has none to take"
            )
            + "; use cs.models.DPCA, or a model of the means of conditions (average=True).",
            code="bad-parameter",
        )
    if needs_labels(model):
        if not rows.given:
            raise InputError(
                f"{WHO}: {type(model).__name__} tells labels apart; name them, labels=['stimulus', ...].",
                code="bad-parameter",
            )
        if "labels" in params and params["labels"] is None:
            model.set_params(labels=list(rows.levels))
        if average is True:
            raise InputError(
                f"{WHO}: {type(model).__name__} takes single trials; leave average out.", code="bad-parameter"
            )
        return model, False
    if type(model).__name__ == "JPCA" and rows.x.ndim != 3:
        raise InputError(
            f"{WHO}: JPCA is of responses (trial, time, unit); the data have dims {rows.data.dims}.",
            code="bad-dims",
        )
    wanted = average
    if isinstance(average, str) or average is None:
        own = type(model).__module__.startswith("consilience.")
        wanted = rows.codes is not None and (
            rows.sessions is not None
            or type(model).__name__ == "JPCA"
            or (rows.given and (not own or type(model).__name__ == "PCA"))
        )
    if wanted and rows.codes is None:
        raise InputError(
            f"{WHO}: average=True takes means of conditions; name them with labels=[...].",
            code="bad-parameter",
        )
    return model, bool(wanted)


def inner_of(model: Any) -> Any:
    """The model whose number of latents another chooses (`cs.models.LatentCV`); else the model itself."""
    return model.model if isinstance(model, LatentCV) else model


def _joins(model: Any) -> bool:
    """Whether it takes pseudo-populations."""
    return type(model).__name__ == "DPCA"


def _plain_function(model: Any) -> bool:
    return callable(model) and not hasattr(model, "get_params")


def needs_labels(model: Any) -> bool:
    tags = getattr(model, "__sklearn_tags__", None)
    try:
        return tags is not None and bool(tags().target_tags.required)
    except Exception:  # noqa: BLE001  an estimator of a user's own without tags
        return False


@dataclass
class Fitted:
    """A model fitted to rows.   scale : (units,) by which values were divided."""

    model: Any
    scale: np.ndarray
    latents: np.ndarray  # (..., k) of the rows that were fitted
    fitter: Fitter
    own: np.ndarray | None = None  # the rows that were fitted, scaled

    def of(self, x: np.ndarray) -> np.ndarray | None:
        """Latents of other rows; None where the model knows only those that it was fitted to."""
        if not hasattr(self.model, "transform"):
            return None
        values = x / self.scale
        gaps = np.isnan(values).any(axis=-1)
        if self.fitter.whole or not gaps.any():
            return self.fitter.unpacked(self.model.transform(self.fitter.packed(values)), x)
        out = np.full((*gaps.shape, self.latents.shape[-1]), np.nan)  # bin by bin: those that are whole
        if not gaps.all():
            out[~gaps] = np.asarray(self.model.transform(values[~gaps]), dtype=np.float64)
        return out

    def made(self, z: np.ndarray) -> np.ndarray:
        """What latents (..., k) stand for, scaled: square roots, where the model is of these."""
        if self.root:
            return np.asarray(z @ self.model.components_ + self.model.mean_)
        gaps = np.isnan(z).any(axis=-1)
        if not self.fitter.whole and gaps.any():  # models of others take no NaN: bin by bin
            out = np.full((*gaps.shape, self.scale.size), np.nan)
            if not gaps.all():
                out[~gaps] = np.asarray(self.model.inverse_transform(z[~gaps]), dtype=np.float64)
            return out
        return self.fitter.unpacked(self.model.inverse_transform(self.fitter.packed(z)), z)

    @property
    def root(self) -> bool:
        """Whether the model is linear in square roots of what it is given."""
        return self.model.get_params(deep=False).get("square_root") is True

    def axes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """(origin, which goes with x, and (k, units) what a unit of each latent adds), where the reconstruction is a
        sum over components; None where it is not, or there is none.
        """
        if not hasattr(self.model, "inverse_transform"):
            return None
        k = self.latents.shape[-1]
        shape = (1, *x.shape[1:-1], k)  # one trial (sample) tells it of all
        try:
            origin = self.made(np.zeros(shape))
            ones = np.stack([self.made(np.broadcast_to(one, shape)) - origin for one in np.eye(k)])
        except (ValueError, TypeError, NotImplementedError):
            return None
        flat = ones.reshape(k, -1, x.shape[-1])
        axes = flat[:, 0]
        trial = np.random.default_rng(0).normal(size=shape)
        want = origin + trial @ axes
        if np.abs(self.made(trial) - want).max() > 1e-8 * max(np.abs(want).max(), 1e-300):
            return None
        return origin, np.ascontiguousarray(axes)

    def gains(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shares of the sum of squares of x about the model's origin, the mean, explained by each component, and
        together. Of a model without a mean (origin 0): about the units' means over the rows that were fitted, with the
        other components at their means over these rows, so that what is explained of the mean does not count.
        """
        z = self.of(x)
        k = self.latents.shape[-1]
        if z is None or not hasattr(self.model, "inverse_transform"):
            return np.full(k, np.nan), np.full(k, np.nan)
        values = x / self.scale
        if self.root:
            values = np.sqrt(values)
        if self.own is not None and self._bare(x):
            return gains_about_means(values, z, self.own, self.latents, self.made)
        found = self.axes(x) if z.ndim == x.ndim else None
        if found is None or np.isnan(values).any():
            return without_each(values, z, self.made)
        p = x.shape[-1]
        return component_gains((values - found[0]).reshape(-1, p), z.reshape(-1, k), found[1])

    def _bare(self, x: np.ndarray) -> bool:
        """Whether the model has no mean: latents of 0 stand for 0, and the reconstruction is a sum over components."""
        if self.own is None:
            return False
        k = self.latents.shape[-1]
        shape = (2, *x.shape[1:-1], k) if self.latents.ndim == x.ndim else (2, k)
        try:
            if np.any(self.made(np.zeros(shape))):
                return False
            trial = np.abs(np.random.default_rng(0).normal(size=shape))
            whole = self.made(trial)
            apart = sum(self.made(trial * one) for one in np.eye(k))
        except (ValueError, TypeError, NotImplementedError):
            return False
        return bool(np.abs(whole - apart).max() <= 1e-8 * max(np.abs(whole).max(), 1e-300))

    def loadings(self) -> np.ndarray | None:
        """(k, units), of the data as they were fitted."""
        own = getattr(self.model, "components_", None)
        if isinstance(own, dict):
            own = np.concatenate(list(own.values()))
        if own is not None and np.shape(own) == (self.latents.shape[-1], self.scale.size):
            return np.asarray(own, dtype=np.float64)
        found = self.axes(self.fitter.example) if self.latents.ndim == self.fitter.example.ndim else None
        return None if found is None else found[1]


class Fitter:
    """Fits copies of a model to rows: trials, means of conditions, stretches of a series.

    A model with ``missing=`` (all of `cs.models`) takes trials as they are; others take bins as rows, and no NaN.
    """

    def __init__(self, model: Any, rows: Rows, *, average: bool, standardise: bool) -> None:
        self.model, self.rows, self.average, self.standardise = model, rows, average, standardise
        inner = inner_of(model)
        self.whole = "missing" in inner.get_params(deep=False)
        self.sequence = rows.series and self.whole and not isinstance(inner, StaticLatent)
        self.labelled = needs_labels(model)
        self.example = self.array(np.arange(len(rows.x)))[: 2 if not rows.series else 20]

    def array(self, rows: np.ndarray) -> np.ndarray:
        """What is fitted of these trials (samples)."""
        return self.rows.means(rows) if self.average else self.rows.x[rows]

    def scored(self, rows: np.ndarray) -> np.ndarray:
        """What is to be explained of them: means of conditions, where the model is about these."""
        return self.rows.means(rows) if self.average or self.labelled else self.rows.x[rows]

    def packed(self, x: np.ndarray) -> Any:
        if self.sequence:
            return x[None]
        return x if self.whole or x.ndim == 2 else x.reshape(-1, x.shape[-1])

    def unpacked(self, out: Any, like: np.ndarray) -> np.ndarray:
        array = np.asarray(out, dtype=np.float64)
        if self.sequence:
            return array[0]
        if self.whole and array.ndim != like.ndim:  # a latent for each trial, and back: tensor decompositions
            return array
        return array.reshape(*like.shape[:-1], array.shape[-1])

    def labelled_trials(self, rows: np.ndarray, scale: np.ndarray) -> tuple[Any, Any]:
        """(X, y) of a model that tells labels apart: trials and {label: (trial,)}, or a pseudo-population, which brings
        its own.
        """
        x, all_of = self.rows.x[rows] / scale, self.rows
        if all_of.sessions is None:
            return self.packed(x), {name: v[rows] for name, v in all_of.labels.items()}
        assert all_of.codes is not None
        return again_apart(x, all_of.sessions[rows], all_of.codes[rows], all_of.levels), None

    def fit(self, rows: np.ndarray) -> Fitted:
        return self.fit_to(self.array(rows), rows if self.labelled else None)

    def fit_to(self, x: np.ndarray, rows: np.ndarray | None = None) -> Fitted:
        """``rows`` : those of x, for a model that tells labels apart."""
        if not self.whole and np.isnan(x).any():
            raise InputError(
                f"{WHO}: trials have unequal lengths or missing values, and {type(self.model).__name__} takes none; "
                "use a model of cs.models, or trials of one length.",
                code="nan-values",
            )
        scale = np.ones(x.shape[-1])
        if self.standardise:
            spread = np.nanstd(x.reshape(-1, x.shape[-1]), axis=0)
            scale = np.where(spread > 0, spread, 1.0)
        packed = self.packed(x / scale)
        model = clone(self.model)
        try:
            if type(model).__name__ == "Embedding" or not hasattr(model, "transform"):
                found = model.fit_transform(packed)
            else:
                model.fit(packed) if rows is None else model.fit(*self.labelled_trials(rows, scale))
                found = model.transform(packed)
        except InputError:
            raise
        except Exception as error:  # an estimator of others may raise anything; the user gets one sentence
            if type(model).__module__.startswith("consilience."):
                raise
            raise InputError(
                f"{WHO}: {type(model).__name__} failed on rows of shape {np.shape(packed)} "
                f"({type(error).__name__}: {shorten(str(error), 200)}).",
                code="bad-parameter",
            ) from None
        made = Fitted(model, scale, np.zeros(0), self, x / scale)
        made.latents = self.unpacked(found, x)
        return made
