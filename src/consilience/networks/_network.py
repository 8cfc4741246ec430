"""`Network`: a thin wrapper of a torch module, or of any callable, with its preprocessing and its table of
layers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._core._table import Table
from consilience._responses._check import refuse_result
from consilience.networks._identity import fingerprint_of

if TYPE_CHECKING:
    from consilience.networks._unit import Unit

__all__ = ["Network", "as_network", "is_module"]

OUTPUT = "output"  # the layer name of what the whole network returns


def is_module(thing: object) -> bool:
    """Whether ``thing`` is a torch.nn.Module, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and hasattr(torch, "nn") and isinstance(thing, torch.nn.Module)


class Network:
    """A network: what turns stimuli into activations, layer by layer.

    Parameters
    ----------
    module : a `torch.nn.Module`, or any callable that takes a block of stimuli (an array with the stimuli
        first, or a list of texts) and returns an array with the stimuli first, or a dict of such arrays; the
        dict's keys are then its layers, ``"output"`` names a bare array.
    preprocess : callable applied to each block of stimuli (a NumPy array, stimuli first; texts as a list of
        str). For a module it returns a tensor or array, a tuple (positional arguments) or a dict (keyword
        arguments). It must treat each stimulus by itself. Without it a module gets images as float (stimulus,
        channel, y, x), values as they are, which is recorded as a warning; arrays are handed over as they are
        (floats in the module's precision); a callable gets the block as it is.
    name : what results show. Default: the class or function name.
    device : where `record` runs the module ("cpu", "cuda"...). Default: where its parameters are. The module
        is brought back afterwards.
    key : identifies a callable (or a preprocess) whose content cannot be hashed, for caches. Change it when
        the callable changes.

    Raises
    ------
    InputError : ``module`` or ``preprocess`` is not callable.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> net = cs.Network(lambda block: block @ np.ones((4, 2)), name="linear")
    >>> acts = cs.record(net, cs.stimuli(np.eye(4), ids=["a", "b", "c", "d"]))
    >>> acts["output"].shape
    (4, 2)
    """

    def __init__(
        self,
        module: Any,
        preprocess: Callable[[Any], Any] | None = None,
        name: str | None = None,
        device: str | None = None,
        key: str | None = None,
    ) -> None:
        who = "cs.Network"
        if isinstance(module, Network):
            raise InputError(f"{who}: {module!r} is a Network already; pass its module.", code="bad-network")
        if isinstance(module, type):
            raise InputError(
                f"{who}: got the class {module.__name__}; pass an instance, {module.__name__}(...).",
                code="bad-network",
            )
        if not callable(module):
            raise InputError(
                f"{who}: module must be a torch.nn.Module or a callable, got {type(module).__name__}; a "
                "state dict must be loaded into its "
                "module first.",
                code="bad-network",
            )
        if preprocess is not None and not callable(preprocess):
            raise InputError(
                f"{who}: preprocess must be callable, got {shorten(preprocess)}.", code="bad-network"
            )
        for label, value in (("name", name), ("key", key)):
            if value is not None and (not isinstance(value, str) or not value):
                raise InputError(f"{who}: {label} must be text, got {shorten(value)}.", code="bad-parameter")
        self.module = module
        self.preprocess = preprocess
        self.device = device
        self.key = key
        own = getattr(module, "__name__", type(module).__name__)
        self.name = name if name is not None else ("callable" if own == "<lambda>" else own)
        self.references: tuple[
            str, ...
        ] = ()  # keys of references.bib, or BibTeX entries, to cite with results
        # output shape per stimulus, known once something was recorded
        self._shapes: dict[str, tuple[int, ...]] = {}
        # what `record` found with one stimulus, for the next call with stimuli of that shape
        self._probed: tuple[Any, ...] | None = None
        # where the arrays of layers were found whose units were read, for the next call with inputs of that shape
        self._spots: tuple[Any, ...] | None = None

    @property
    def is_module(self) -> bool:
        return is_module(self.module)

    @property
    def layer_names(self) -> list[str]:
        """Names that `record` accepts, in the module's order; ``"output"`` (the whole network) is last."""
        if not self.is_module:
            return list(self._shapes) or [OUTPUT]
        names = [name for name, _ in self.module.named_modules(remove_duplicate=False) if name]
        return names if OUTPUT in names else [*names, OUTPUT]

    @property
    def layers(self) -> Table:
        """Table of layers: name, type, and output shape per stimulus once something was recorded."""
        kinds = {}
        if self.is_module:
            kinds = {
                name or OUTPUT: type(child).__name__
                for name, child in reversed(list(self.module.named_modules(remove_duplicate=False)))
            }
        rows = []
        for name in self.layer_names:
            shape = self._shapes.get(name)
            rows.append(
                (
                    name,
                    kinds.get(name, "callable"),
                    None if shape is None else " x ".join(map(str, shape)) or "scalar",
                )
            )
        return Table(["name", "type", "shape"], rows)

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 over structure, weights, buffers and preprocessing; None when it cannot be known (then give
        ``key=``).
        """
        return fingerprint_of(self)

    def untrained(self, seed: int = 0, stimuli: xr.DataArray | None = None) -> Network:
        """A copy with each layer's own default initialisation, as if it had just been built.

        Parameters
        ----------
        seed : whole number; the global random state of torch is left alone.
        stimuli : with them the running statistics of normalisation layers are recalibrated: mean and
            (population) variance over all stimuli, layer after layer, each seeing the earlier ones
            recalibrated. Independent of batches. Memory: one layer's input for all stimuli. Without them
            statistics are those of a new layer (mean 0, variance 1), which is recorded as a warning.

        Returns
        -------
        Network, on the same device, in eval mode, named ``"<name>_untrained<seed>"``.

        Raises
        ------
        InputError : a callable (it has no weights), or parameters that no ``reset_parameters`` sets (they are
            named).
        """
        from consilience.networks._controls import untrained

        return untrained(self, seed=seed, stimuli=stimuli)

    def permuted(self, seed: int = 0, stimuli: xr.DataArray | None = None) -> Network:
        """A copy whose trained parameters are shuffled within each tensor: same weight distribution, no
        learned structure.

        Parameters and statistics as in `untrained`; the copy is named ``"<name>_permuted<seed>"``.
        """
        from consilience.networks._controls import permuted

        return permuted(self, seed=seed, stimuli=stimuli)

    def unit(
        self,
        layer: str,
        index: int | None = None,
        *,
        channel: int | None = None,
        y: int | None = None,
        x: int | None = None,
        z: int | None = None,
        token: int | None = None,
        name: str | None = None,
    ) -> Unit:
        """One unit of a layer, as an object that verbs take like a neuron.

        Parameters
        ----------
        layer : a name as in the result of `cs.record` (``"conv"``; ``"conv#1"``, ``"lstm[0]"`` where a layer gives
            several arrays).
        index : its number in the flattened layer, the ``unit`` coordinate of `cs.record`.
        channel : instead of ``index``: that channel (or feature), at ``y``, ``x`` (``z``, ``token``) of its map,
            the middle (size // 2) where they are not given.
        name : what results show. Default: the layer and the number.

        Returns
        -------
        Unit, with ``respond(stimuli)``, ``record(stimuli)`` and a differentiable ``activation(tensor)``.

        Raises
        ------
        UnknownNameError : no such layer.   InputError : no such unit (``no-such-unit``), here where the layer's shape
            is known from stimuli shown before, else when it is first read.

        Examples
        --------
        >>> import numpy as np, consilience as cs
        >>> net = cs.Network(lambda block: block * 2.0, name="double")
        >>> net.unit("output", 1).respond(cs.stimuli(np.eye(3), ids=["a", "b", "c"]))
        array([0., 2., 0.])
        """
        from consilience.networks._unit_make import make_unit

        return make_unit(self, layer, index, channel, {"z": z, "y": y, "x": x, "token": token}, name)

    def channel(self, layer: str, channel: int, *, name: str | None = None) -> Unit:
        """The mean over places of one channel (or feature) of a layer, as a unit; see `unit`."""
        from consilience.networks._unit_make import make_channel

        return make_channel(self, layer, channel, name)

    def direction(
        self,
        layer: str,
        vector: Any,
        *,
        bias: float = 0.0,
        name: str | None = None,
        spatial: Literal["flatten", "mean"] = "flatten",
    ) -> Unit:
        """A linear readout of a layer, as a unit: vector . activations + bias. A probe's weights, a concept
        vector, a principal axis, a row of a fitted encoder's ``coef_`` (with its ``intercept_``).

        Parameters
        ----------
        vector : (units,) weights of the flattened layer, or, with ``spatial="mean"``, (channels,) weights of the
            means over places.
        bias : number that is added.   name : what results show.

        Returns
        -------
        Unit.

        Raises
        ------
        UnknownNameError : no such layer.   InputError : weights that are not finite, all 0, or not as many as the layer
            has units (``bad-vector``).
        """
        from consilience.networks._unit_make import make_direction

        return make_direction(self, layer, vector, bias, name, spatial)

    def __repr__(self) -> str:
        if not self.is_module:
            return f"Network {self.name!r} (callable)"
        count = sum(parameter.numel() for parameter in self.module.parameters())
        kind, layers = type(self.module).__name__, len(self.layer_names) - 1
        return f"Network {self.name!r} ({kind}, {layers} layers, {count:,} parameters)"


def as_network(thing: Any, *, who: str) -> Network:
    """``thing`` as a `Network`: a Network, a module or a callable."""
    if isinstance(thing, Network):
        return thing
    refuse_result(thing, who=who, name="net", expected="a network")
    if not callable(thing) or isinstance(thing, type):
        raise InputError(
            f"{who}: the network must be a cs.Network, a torch.nn.Module or a callable, got "
            f"{shorten(thing)}.",
            code="bad-network",
        )
    return Network(thing)


def block_of(stimuli: xr.DataArray, rows: Sequence[int] | slice) -> Any:
    """A block of stimuli as the preprocessing gets it: a NumPy array of its own, or a list of texts."""
    part = stimuli.values[rows]
    return part.tolist() if stimuli.attrs.get("kind") == "text" else part.copy()
