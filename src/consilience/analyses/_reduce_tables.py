"""`reduce`: arrays become labelled tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._seeds import Seed
from consilience.analyses._reduce_fit import Fitted
from consilience.analyses._reduce_rows import Rows
from consilience.stats import fold_interval, trial_mean_interval

__all__ = [
    "conditions_table",
    "decoder_of",
    "latents_table",
    "loadings_table",
    "names_of_components",
    "parts_of",
    "plain_labels",
]


def names_of_components(model: Any, k: int) -> list[str]:
    kind = type(model).__name__
    short = {"PCA": "PC", "FactorAnalysis": "F", "FastICA": "IC", "LDS": "x", "CP": "CP"}.get(kind, "")
    if hasattr(model, "marginalization_") and len(model.marginalization_) == k:
        seen: dict[str, int] = {}
        out = []
        for part in map(str, model.marginalization_):
            seen[part] = seen.get(part, 0) + 1
            out.append(f"{part} {seen[part]}")
        return out
    own = getattr(model, "variables_", None)
    if own is not None and len(own) == k:
        return [str(name) for name in own]
    return [f"{short or 'component '}{j + 1}" for j in range(k)]


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype.kind == "O" else values


def plain_labels(data: xr.DataArray, dims: list[str]) -> dict[str, Any]:
    """Labels of data that lie on ``dims``, those of objects as text."""
    return {
        str(k): (v.dims, _plain(np.asarray(v.values)))
        for k, v in data.coords.items()
        if v.dims and set(v.dims) <= set(dims) and v.dtype.kind in "biufUO"
    }


def latents_table(rows: Rows, z: np.ndarray, names: list[str]) -> xr.DataArray:
    """Latents with every label of the data on their dims."""
    dims = [str(d) for d in rows.data.dims[: z.ndim - 1]]
    coords = {**plain_labels(rows.data, dims), "component": names}
    attrs = {"kind": "latent"}
    if "time_units" in rows.data.attrs:
        attrs["time_units"] = str(rows.data.attrs["time_units"])
    return xr.DataArray(z, dims=(*dims, "component"), coords=coords, name="latents", attrs=attrs)


def conditions_table(
    rows: Rows, z: np.ndarray, names: list[str], level: float, of_means: np.ndarray | None = None
) -> xr.Dataset | None:
    """Means over trials of a condition with t intervals.   of_means : (condition, ...) latents of the means over what
    is there of each unit, where trials lack some units; intervals are as wide as those of the trials that lack none.
    """
    if rows.codes is None:
        return None
    count = int(rows.codes.max()) + 1
    shape = (count, *z.shape[1:])
    mean, variance, known = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape)
    number = np.bincount(rows.codes, minlength=count)
    for c in range(count):
        own = z[rows.codes == c]
        seen = np.isfinite(own)
        known[c] = seen.sum(axis=0)
        many = np.where(known[c] > 0, known[c], np.nan)
        mean[c] = np.where(seen, own, 0.0).sum(axis=0) / many
        rest = np.where(seen, own - mean[c], 0.0)
        variance[c] = (rest**2).sum(axis=0) / np.where(known[c] > 1, known[c] - 1, np.nan)
    if of_means is not None and of_means.shape == mean.shape:
        mean = of_means
    low, high = trial_mean_interval(mean, variance, known, level=level)
    dims = ("condition", *[str(d) for d in rows.data.dims[1 : z.ndim - 1]], "component")
    levels = {k: _plain(np.asarray(v)) for k, v in rows.levels.items()}
    text = [", ".join(str(v[c]) for v in levels.values()) for c in range(count)]
    coords: dict[str, Any] = {"condition": text, "component": names}
    if "time" in dims and "time" in rows.data.coords:
        coords["time"] = np.asarray(rows.data["time"].values)
    coords |= {k: ("condition", v) for k, v in levels.items()}
    return xr.Dataset(
        {
            "mean": (dims, mean),
            "ci_low": (dims, low),
            "ci_high": (dims, high),
            "n": ("condition", number.astype(np.int64)),
        },
        coords=coords,
    )


def decoder_of(fit: Fitted, x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """((k, units), (units,)): latents = (x / scale - origin) @ decoder', where that is what the model does, bin by bin;
    tried on the data.
    """
    k, p = z.shape[-1], x.shape[-1]
    if z.ndim != x.ndim:
        return None
    values, flat = (x / fit.scale).reshape(-1, p), z.reshape(-1, k)
    whole = ~np.isnan(values).any(axis=1) & np.isfinite(flat).all(axis=1)
    values, flat = values[whole], flat[whole]
    if not len(values):
        return None
    model = fit.model
    tries = []
    mean = getattr(model, "mean_", None)
    mean = np.zeros(p) if mean is None or np.shape(mean) != (p,) else np.asarray(mean, dtype=np.float64)
    decoders = getattr(model, "decoders_", None)
    if isinstance(decoders, dict):
        tries.append(np.concatenate(list(decoders.values())))
    own = fit.loadings()
    if own is not None:
        tries.append(own)
    size = max(float(np.abs(flat).max()), 1e-300)
    for w in tries:
        if w.shape == (k, p) and np.abs((values - mean) @ w.T - flat).max() < 1e-7 * size:
            return np.ascontiguousarray(w, dtype=np.float64), mean
    if p > 2000 or fit.fitter.sequence or (x.ndim == 3 and fit.fitter.whole and own is None):
        return None
    try:  # what each unit adds by itself
        probe = np.concatenate([mean[None], mean + np.eye(p)])
        if fit.fitter.whole and x.ndim == 3:
            probe = probe[:, None]
        said = np.asarray(model.transform(probe), dtype=np.float64).reshape(p + 1, k)
    except (InputError, ValueError):
        return None
    w = (said[1:] - said[0]).T
    origin = mean - np.linalg.lstsq(w, said[0], rcond=None)[0]
    if np.abs((values - origin) @ w.T - flat).max() < 1e-7 * size:
        return np.ascontiguousarray(w), origin
    return None


def loadings_table(
    rows: Rows, fit: Fitted, names: list[str], ends: Any, decoder: Any, unit_score: np.ndarray | None
) -> xr.Dataset | None:
    own = fit.loadings()
    if own is None:
        return None
    data = rows.data
    coords = plain_labels(data, ["unit"])
    coords.setdefault("unit", (("unit",), np.arange(data.sizes["unit"])))
    low, high = ends if ends is not None else (np.full_like(own, np.nan),) * 2
    dims = ("component", "unit")
    out: dict[str, Any] = {"loading": (dims, own), "ci_low": (dims, low), "ci_high": (dims, high)}
    out["scale"] = ("unit", fit.scale)
    if decoder is not None:
        out["decoder"], out["origin"] = (dims, decoder[0]), ("unit", decoder[1])
    if unit_score is not None:
        out["unit_score"] = ("unit", unit_score)
    shared = getattr(fit.model, "shared_variance_", None)
    if shared is not None and np.shape(shared) == (data.sizes["unit"],):
        out["shared_variance"] = ("unit", np.asarray(shared, dtype=np.float64))
    return xr.Dataset(out, coords={**coords, "component": names})


def parts_of(
    fit: Fitted, rows: Rows, names: list[str], seed: Seed, options: dict[str, Any], choice: Any
) -> dict[str, Any]:
    """What some models say besides: marginalizations, a choice of number (by ``choice``), tensor factors, dynamics."""
    model = fit.model
    out: dict[str, Any] = {}
    scores = getattr(choice, "cv_scores_", None)
    numbers = getattr(choice, "cv_components_", None)
    if scores is not None and numbers is not None:
        scores = np.asarray(scores, dtype=np.float64)
        mean, low, high = fold_interval(scores.T, options["level"])
        out["choice"] = xr.Dataset(
            {
                "score": ("number", mean),
                "ci_low": ("number", low),
                "ci_high": ("number", high),
                "score_by_fold": (("number", "fold"), scores),
            },
            coords={"number": np.asarray(numbers)},
        )
    if hasattr(model, "marginalizations_") and hasattr(model, "explained_variance_by_"):
        out["marginalizations"] = _demixed(fit, rows, names, seed, options)
    factors = getattr(model, "factors_", None)
    if isinstance(factors, (list, tuple)) and len(factors) == rows.x.ndim:
        dims = [str(d) for d in rows.data.dims]
        if all(np.shape(f) == (n, len(names)) for f, n in zip(factors, rows.x.shape)):
            coords = {d: _plain(np.asarray(rows.data[d].values)) for d in dims if d in rows.data.coords}
            out["factors"] = xr.Dataset(
                {
                    f"{d}_factor": ((d, "component"), np.asarray(f, dtype=np.float64))
                    for d, f in zip(dims, factors)
                },
                coords={**coords, "component": names},
            )
    out.update(_dynamics(model, rows))
    if hasattr(model, "neighbours_kept_"):
        out["neighbours"] = xr.Dataset(
            {
                "kept": ("row", np.asarray(model.neighbours_kept_)),
                "over_seeds": ("row", np.asarray(model.stable_over_seeds_)),
                "over_subsamples": ("row", np.asarray(model.stable_over_subsamples_)),
            },
            attrs={
                "kept": float(np.nanmean(model.neighbours_kept_)),
                "over_seeds": float(np.nanmean(model.stable_over_seeds_)),
                "over_subsamples": float(np.nanmean(model.stable_over_subsamples_)),
                "chance": float(model.chance_),
                "null_high": float(model.null_high_),
                "p": float(model.p_),
                "trustworthiness": float(model.trustworthiness_),
                "n_neighbours": int(model.n_neighbours_),
            },
        )
    return out


def _demixed(fit: Fitted, rows: Rows, names: list[str], seed: Seed, options: dict[str, Any]) -> xr.Dataset:
    model = fit.model
    parts = [str(p) for p in model.marginalizations_]
    m = len(parts)
    values: dict[str, Any] = {
        "explained": [model.explained_variance_[p] for p in parts],
        "variance": [model.marginal_variance_[p] for p in parts],
        "signal_variance": [model.signal_variance_[p] for p in parts],
    }
    ends = np.full((3, m), np.nan)
    p = np.full(m, np.nan)
    x, y = fit.fitter.labelled_trials(np.arange(len(rows.x)), fit.scale)
    if options["cv"]:
        try:
            found = model.held_out(
                x, y, n_folds=options["cv"], level=options["level"], rng=seed.stream("dpca")
            )
            where = [list(found.marginalizations).index(part) for part in parts]
            ends = np.stack([found.value[where], found.ci_low[where], found.ci_high[where]])
        except InputError:
            pass
    component_p = np.full(len(names), np.nan)
    if options["n_shuffles"]:
        try:
            tested = model.significance(x, y, n_shuffles=options["n_shuffles"], rng=seed.stream("shuffles"))
            p = np.array([tested.p_marginalization.get(part, np.nan) for part in parts])
            places = {
                (str(a), int(b)): v for a, b, v in zip(tested.marginalization, tested.component, tested.p)
            }
            count: dict[str, int] = {}
            for j, part in enumerate(map(str, model.marginalization_)):
                component_p[j] = places.get((part, count.get(part, 0)), np.nan)
                count[part] = count.get(part, 0) + 1
        except InputError:
            pass
    return xr.Dataset(
        {
            **{k: ("marginalization", np.asarray(v, dtype=np.float64)) for k, v in values.items()},
            "held_out": ("marginalization", ends[0]),
            "held_out_low": ("marginalization", ends[1]),
            "held_out_high": ("marginalization", ends[2]),
            "p": ("marginalization", p),
            "explained_by": (("component", "marginalization"), np.asarray(model.explained_variance_by_)),
            "component_p": ("component", component_p),
        },
        coords={"marginalization": parts, "component": names},
    )


def _dynamics(model: Any, rows: Rows) -> dict[str, Any]:
    step = 1.0
    if "time" in rows.data.coords and rows.data.sizes["time"] > 1:
        step = float(np.median(np.diff(rows.data["time"].values)))
    if hasattr(model, "rates_") and hasattr(model, "ratio_"):
        return {
            "dynamics": xr.Dataset(
                {"rate": ("plane", np.asarray(model.rates_, dtype=np.float64))},
                attrs={
                    "r2": float(model.r2_),
                    "r2_skew": float(model.r2_skew_),
                    "ratio": float(model.ratio_),
                },
            )
        }
    matrix = getattr(model, "transition_", getattr(model, "A_", None))
    if matrix is not None and np.ndim(matrix) == 2 and np.shape(matrix)[0] == np.shape(matrix)[1]:
        values = np.linalg.eigvals(np.asarray(matrix, dtype=np.float64))
        values = values[np.argsort(-np.abs(values), kind="stable")]
        size = np.abs(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            decay = np.where((size > 0) & (size < 1), -step / np.log(size), np.inf)
        return {
            "dynamics": xr.Dataset(
                {
                    "real": ("mode", values.real),
                    "imaginary": ("mode", values.imag),
                    "decay": ("mode", decay),
                    "frequency": ("mode", np.abs(np.angle(values)) / (2 * np.pi * step)),
                }
            )
        }
    return {}
