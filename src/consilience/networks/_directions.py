"""The outputs of a linear model fitted to a layer, as units: encoders, probes, principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from consilience._core._arrays import as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.networks._network import Network
from consilience.networks._unit import Unit

__all__ = ["directions"]

_WHO = "cs.networks.directions"


def directions(
    net: Network,
    layer: str,
    model: Any,
    /,
    *,
    names: Sequence[Any] | None = None,
    spatial: Literal["flatten", "mean"] = "flatten",
) -> list[Unit]:
    """One unit for each output of a linear model that was fitted to a layer: r_k(s) = coef_k . layer(s) + intercept_k.

    A ridge encoder of neurons, a classifier's classes, the components of a PCA: each becomes a unit that every call
    takes, `cs.synthesize` for its most exciting input among them.

    Parameters
    ----------
    net, layer : where the model's predictors were recorded.
    model : fitted, with ``coef_`` (k, p) or (p,) and ``intercept_`` (`cs.models.RidgeCV`, `LogisticRegression`, a
        probe), or ``components_`` (k, p) and ``mean_`` (PCA: its scores); or an array (k, p), without
        intercept. A pipeline is refused: fit the linear step on the activations as they are.
    names : k names, what results show. Default: the model's ``classes_`` where there is one for each, else 0, 1...
    spatial : what became of maps when they were recorded: "flatten" or "mean".

    Returns
    -------
    list of k `Unit`.

    Raises
    ------
    InputError : a model that is not linear or not fitted, weights that do not fit the layer, names of another number.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> net = cs.Network(lambda block: block[:, :5] ** 2, name="squares")
    >>> shown = cs.stimuli(np.random.default_rng(0).normal(size=(60, 6)), ids=range(60))
    >>> layer = cs.record(net, shown)["output"].values
    >>> neurons = layer @ np.ones((5, 2)) + 1
    >>> encoder = cs.models.RidgeCV().fit(layer, neurons)
    >>> units = cs.networks.directions(net, "output", encoder, names=["a", "b"])
    >>> [unit.name for unit in units], bool(np.allclose(units[0].respond(shown), encoder.predict(layer)[:, 0]))
    (['a', 'b'], True)
    """
    vectors, biases = _linear(model)
    if names is None:
        classes = getattr(model, "classes_", None)
        fits = classes is not None and len(classes) == len(vectors)
        names = list(classes) if fits else list(range(len(vectors)))  # type: ignore[arg-type]
    names = list(names)
    if len(names) != len(vectors):
        raise InputError(
            f"{_WHO}: the model has {len(vectors)} outputs and names= has {len(names)}; give one for each.",
            code="bad-ids",
        )
    return [
        net.direction(layer, vector, bias=float(bias), name=str(name), spatial=spatial)
        for vector, bias, name in zip(vectors, biases, names)
    ]


def _linear(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """(k, p) weights and (k,) intercepts."""
    if isinstance(model, (np.ndarray, list, tuple)) or hasattr(model, "detach"):
        vectors = np.atleast_2d(np.asarray(to_numpy(model)))
        biases = np.zeros(len(vectors))
    elif hasattr(model, "coef_"):
        vectors = np.atleast_2d(np.asarray(model.coef_))
        biases = np.broadcast_to(
            np.asarray(getattr(model, "intercept_", 0.0), dtype=np.float64), (len(vectors),)
        )
    elif hasattr(model, "components_") and hasattr(model, "mean_"):
        vectors = np.asarray(model.components_)
        biases = -(vectors @ np.asarray(model.mean_))
        if getattr(model, "whiten", False):
            scale = np.sqrt(np.asarray(model.explained_variance_))
            vectors, biases = vectors / scale[:, None], biases / scale
    else:
        raise InputError(
            f"{_WHO}: the model must be linear and fitted, with coef_ and intercept_ or components_ and mean_, got "
            f"{shorten(model)}; of a pipeline, fit the linear step on the activations as they are.",
            code="bad-vector",
        )
    return np.asarray(as_matrix(vectors, name="coef_", who=_WHO), dtype=np.float64), np.asarray(biases)
