"""`Readout`: an encoding network, fitted to the responses of neurons to images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError, UnknownNameError, nearest, warn
from consilience._core._params import require, shorten
from consilience._core._seeds import resolve_seed
from consilience.networks._network import Network
from consilience.networks._readout_data import as_stimuli, content, shown
from consilience.networks._unit import Unit

if TYPE_CHECKING:
    from consilience.networks._readout_modules import Encoder
    from consilience.networks._readout_train import Course

__all__ = ["Readout"]

_WHO = "cs.models.Readout"


class Readout(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """An encoding network: a convolutional core shared by all neurons, and for each neuron where and what it reads.

    r_t(s) = g(w_t . f(s)[:, place_t] + b_t), f the maps of features (channel, y, x) of the core.

    ``readout="gaussian"`` : one place per neuron, learned, drawn around its mean while training (Lurz et al. 2021).
    ``readout="factorised"`` : a non-negative mask over places, w_t . sum_yx m_t(y, x) f[:, y, x] (Klindt et al. 2017).
    Neurons start at the place whose contrast goes with their responses. g is ELU + 1 for counts (loss: Poisson) and
    the identity for rates, dF/F and the like (loss: squared error in units of each neuron's standard deviation).

    Trained by Adam on part of the stimuli; after ``patience`` epochs without a lower loss on the held-out part the
    best state comes back and the learning rate drops to 0.3 of it; after ``n_drops`` drops it ends. Trials of one
    stimulus, and stimuli of equal content, are on one side and weigh as many as they are. A response that is NaN was
    not recorded, and is left out.

    Confused with it: `cs.encode`, which fits a linear map from given features and tests it; it takes a `Readout` as
    its ``model=`` (with ``shape=``, n_perm=0 and n_deals=0, since each fit trains a network).

    Parameters
    ----------
    core : None trains one from scratch; or a trained network (`cs.Network` or module), whose ``layer`` is the core:
        its features are recorded once, and only the readout is trained.
    layer : of ``core``, e.g. ``"_blocks.3"``.   readout : "gaussian" or "factorised".
    shape : (y, x) or (y, x, channel) of stimuli that come as vectors, as from `cs.encode`; without it a vector is one
        row of pixels.
    features : channels of each layer of a core trained from scratch.   kernel : size of its first filters in pixels;
        later ones have 3.
    loss : "poisson", "gaussian", or "auto": Poisson for responses of kind "count", else Gaussian (arrays have no kind).
    n_models : members of the ensemble. They differ by seed and held-out part; the prediction is their mean.
    held_out : share of the stimuli (or groups) that says when to stop.
    batch_size, learning_rate, max_epochs, patience, n_drops : of the training.
    smoothness : weight of the roughness (squared Laplacian over squared norm) of the first filters.   sparsity :
        weight of the L1 norm of the readout, and of later layers of the core.
    device : "auto" is a GPU where there is one; the fitted network is brought to the CPU. Equal ``rng`` gives equal
        bytes on a CPU with as many threads; a GPU adds in no fixed order.
    rng : seed; None draws one, which ``seed_`` records.   progress : a bar; default: on a terminal only.

    Attributes
    ----------
    units_ : (t,) names.   network : the fitted `cs.Network`, so that record, synthesize, receptive_field and compare
        work on it.   positions_ : (t, 2) y and x of where each neuron looks, in pixels of the stimulus (features of a
        trained ``core`` are taken to cover it evenly; of the network's features, whose filters need not be centred).
    masks_ : (t, y, x) of sum 1, factorised only.   courses_ : held-out loss by epoch, of each member.
    loss_ : "poisson" or "gaussian".   n_stimuli_ : distinct stimuli of the fit.   seed_ : the recorded seed.

    Raises
    ------
    InputError : fewer than 20 distinct stimuli, ids that do not match, negative counts, units with hardly a response.
    ConsilienceWarning : ``not-converged`` (at ``max_epochs``), ``constant-units``.

    References
    ----------
    Klindt, Ecker, Euler & Bethge (2017); Lurz et al. (2021); Sinz et al. (2018).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> images = rng.normal(size=(400, 8, 8))
    >>> counts = rng.poisson(np.exp(images[:, 2, [1, 5]]))  # two neurons, each seeing one pixel
    >>> model = cs.models.Readout(features=[4], kernel=1, loss="poisson", rng=0).fit(images[:300], counts[:300])
    >>> model.positions_.round().tolist()
    [[2.0, 1.0], [2.0, 5.0]]
    >>> bool((model.evaluate(images[300:], counts[300:], n_perm=200)["p"] < 0.01).all())
    True
    """

    def __init__(
        self,
        core: Any = None,
        *,
        layer: str | None = None,
        readout: Literal["gaussian", "factorised"] = "gaussian",
        shape: Sequence[int] | None = None,
        features: Sequence[int] = (12, 12),
        kernel: int = 9,
        loss: Literal["auto", "poisson", "gaussian"] = "auto",
        n_models: int = 1,
        held_out: float = 0.2,
        batch_size: int = 64,
        learning_rate: float = 0.01,
        max_epochs: int = 200,
        patience: int = 4,
        n_drops: int = 2,
        smoothness: float = 0.01,
        sparsity: float = 0.03,
        device: str = "auto",
        rng: Any = None,
        progress: bool | None = None,
    ) -> None:
        self.core = core
        self.layer = layer
        self.readout = readout
        self.shape = shape
        self.features = features
        self.kernel = kernel
        self.loss = loss
        self.n_models = n_models
        self.held_out = held_out
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.patience = patience
        self.n_drops = n_drops
        self.smoothness = smoothness
        self.sparsity = sparsity
        self.device = device
        self.rng = rng
        self.progress = progress

    def fit(self, stimuli: Any, responses: Any, *, groups: Any = None) -> Readout:
        """Trains the network.

        Parameters
        ----------
        stimuli : n of them, `cs.stimuli` or an array (n, y, x), (n, y, x, channel) or (n, value). Frames of a clip go
            side by side as channels.
        responses : (trial, unit), matched by stimulus id, repeats allowed; a series (time, unit) with one frame for
            each time; or an array (n, t) whose row i is of stimulus i. NaN in an array: not recorded.
        groups : (n,) label of each stimulus; a group is on one side of the split. Of a series by default stretches, a
            twentieth each.
        """
        require("torch", extra="torch", purpose=_WHO)
        from consilience.networks._readout_build import FEWEST, check_options, check_units, loss_of
        from consilience.networks._readout_fit import fit_network

        check_options(self)
        data = shown(stimuli, responses, groups, who=_WHO)
        seed = resolve_seed(self.rng, who=_WHO)
        loss = loss_of(self, data)
        if len(data.stimuli) < FEWEST:
            raise InputError(
                f"{_WHO}: at least {FEWEST} distinct stimuli with responses are needed to train a network and to see "
                f"when to stop, got {len(data.stimuli)}; with so few, use cs.encode on recorded features.",
                code="too-few",
            )
        check_units(data, loss)
        made = fit_network(self, data, loss, seed)
        self._adopt(made.encoder, made.preprocess, data.stimuli, made.size, data.units, loss)
        courses = made.courses
        self.courses_: list[Course] = courses
        self._maps = made.maps
        self._flat = not isinstance(responses, xr.DataArray) and np.ndim(responses) == 1
        self.seed_ = str(seed)
        self.n_stimuli_ = len(data.stimuli)
        self.seen_ = frozenset(content(data.stimuli.values))
        late = sum(not course.ended for course in courses)
        if late:
            warn(
                "not-converged",
                f"{_WHO}: {late} of {self.n_models} networks were still being trained after {self.max_epochs} epochs; "
                "the best state so far was kept.",
                "A higher max_epochs=, or a higher learning_rate=.",
            )
        return self

    def predict(self, stimuli: Any) -> np.ndarray:
        """Predicted responses (n, t) float64, the mean over members; (n,) after a fit to one column of an array."""
        out = self.predict_each(stimuli).mean(axis=0)
        return out[:, 0] if self._flat else out

    def predict_each(self, stimuli: Any) -> np.ndarray:
        """Predicted responses of each member, (n_models, n, t)."""
        check_is_fitted(self, "encoder_")
        who = f"{_WHO}.predict"
        data = as_stimuli(stimuli, who=who)
        if data.shape[1:] != self.stimulus_shape_:
            raise InputError(
                f"{who}: each stimulus must have the shape of the fit, {self.stimulus_shape_}, got "
                f"{data.shape[1:]}.",
                code="bad-stimuli",
            )
        from consilience.networks._readout_fit import predict_each

        return predict_each(self.encoder_, self._preprocess, data, self.network.name, who=who)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Mean over units of the correlation of the prediction with the mean response, over stimuli.

        X, y : stimuli and responses as in `fit`; of other stimuli. `evaluate` has intervals, chance and ceilings.
        """
        from consilience.networks._readout_scores import correlations

        if sample_weight is not None:
            raise InputError(
                f"{_WHO}.score: trials weigh by their number; leave sample_weight out.", code="bad-parameter"
            )
        data = shown(X, y, None, who=f"{_WHO}.score")
        mean = self.predict_each(data.stimuli).mean(axis=0)
        found = correlations(mean, data.y, data.weight)
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")

    def evaluate(
        self,
        stimuli: Any,
        responses: Any,
        *,
        baseline: Any = None,
        n_perm: int = 1000,
        level: float = 0.95,
        rng: Any = 0,
    ) -> xr.Dataset:
        """How well responses to stimuli that the fit has not seen are predicted, unit by unit.

        r_t = correlation over stimuli of the prediction with the mean response. Its interval: jackknife over stimuli of
        artanh r (r is bounded), t; it is that of this fitted network, on other stimuli. ``p``: predictions dealt to
        other stimuli, (b + 1) / (m + 1); ``q`` its false discovery rate over units.

        Parameters
        ----------
        stimuli, responses : as in `fit`, at least 10 stimuli, none of them seen in the fit.
        baseline : an estimator fitted to the same stimuli as vectors, such as ``RidgeCV().fit(images.reshape(n, -1),
            counts)``; ``r_baseline`` is its score; ``gain`` = r - r_baseline gets an interval by the same jackknife.
        n_perm : deals.   level : of the intervals.   rng : seed.

        Returns
        -------
        Dataset over unit: r, ci_low, ci_high, null_mean, p, q, n_stimuli; ``spread``: mean over stimuli of the standard
        deviation between members (two or more); cc_norm and r2_er with their intervals, where every stimulus has
        repeats (`cs.units.cc_norm`: r over what a perfect model would reach); r_baseline, gain, gain_low, gain_high.

        In simulations (30, 100 and 300 stimuli, r of 0, 0.25 and 0.55, Poisson counts, 1500 units each) intervals at
        95 % held r in 0.93 to 0.94, and those of ``gain`` in 0.93 to 0.95.

        Raises
        ------
        InputError : stimuli that were in the fit (``seen-in-training``), too few, units other than those of the fit.
        """
        from consilience.networks._readout_scores import evaluate

        check_is_fitted(self, "encoder_")
        return evaluate(self, stimuli, responses, baseline=baseline, n_perm=n_perm, level=level, rng=rng)

    def unit(self, which: Any) -> Unit:
        """One fitted neuron, by number or name, as a unit of ``network``: the same object as `Network.unit` gives."""
        check_is_fitted(self, "encoder_")
        names = self.units_.tolist()
        if which in names:
            place = names.index(which)
        elif isinstance(which, (int, np.integer)) and not isinstance(which, bool) and 0 <= which < len(names):
            place = int(which)
        else:
            raise UnknownNameError(
                f"{_WHO}.unit: there is no unit {shorten(which)} among {len(names)}.{nearest(which, names)}",
                code="no-such-unit",
            )
        return self.network.unit("output", place, name=str(names[place]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fitted network to one safetensors file, whole or not at all; `Readout.load` reads it."""
        from consilience.networks._readout_files import save

        check_is_fitted(self, "encoder_")
        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, core: Any = None) -> Readout:
        """Reads what `save` wrote. ``core`` : the trained network that it was fitted on, which is not in the file."""
        from consilience.networks._readout_files import load

        return load(cls, path, core)

    def _adopt(
        self,
        encoder: Encoder,
        preprocess: Any,
        stimuli: xr.DataArray,
        size: tuple[int, int],
        units: np.ndarray,
        loss: str,
    ) -> None:
        """Sets what is fitted."""
        self.encoder_ = encoder.eval().requires_grad_(requires_grad=False)
        self._preprocess = preprocess
        self.stimulus_shape_ = tuple(stimuli.shape[1:])
        self.stimulus_size_ = size
        self.units_, self.loss_ = units, loss
        self.n_features_in_ = int(np.prod(self.stimulus_shape_))
        self.network = Network(encoder, preprocess, name=f"{self.readout} readout")
        readouts: list[Any] = [member.readout for member in encoder.members]
        places = [readout.places(size).double().numpy() for readout in readouts]
        self.positions_ = np.mean(places, axis=0)
        self.member_positions_ = np.stack(places)
        if self.readout == "factorised":
            self.masks_ = np.mean([readout.masks().double().numpy() for readout in readouts], axis=0)
