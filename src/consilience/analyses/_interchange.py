"""The verb `interchange`: does a layer hold the variables of a causal model, where it is said to hold them?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import resolve_seed
from consilience._results._interchange import Interchange
from consilience._stimuli import check_stimuli
from consilience.analyses._patch_cells import both, paired
from consilience.linalg._subspace import random_basis, span_basis
from consilience.networks._network import Network, as_network
from consilience.networks._patching import Cell, Interventions, places_of
from consilience.networks._progress import progress_bar
from consilience.stats._interchange_accuracy import interchange_accuracy

__all__ = ["interchange"]

WHO = "cs.interchange"
SIDES = ("base", "source")


def interchange(
    net: Network | Any,
    base: xr.DataArray | Any,
    source: xr.DataArray | Any,
    /,
    layer: str,
    parts: Mapping[str, Any],
    *,
    expected: Mapping[str, Any] | Sequence[Any] | np.ndarray,
    predict: Callable[[np.ndarray], Any] | None = None,
    pairs: Sequence[tuple[str, str]] | str | None = None,
    n_random: int = 199,
    level: float = 0.95,
    output: str = "output",
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> Interchange:
    """Interchange intervention accuracy: how often a network answers as a causal model does when one variable of the
    model is set to the value that it has for another stimulus.

    The network runs on the base stimulus with the units (or the subspace) that are said to hold the variable set to
    what they are for the source stimulus, x' = x + Pi (r - x). The causal model, under the same exchange, gives
    ``expected``. accuracy = the share of pairs in which the network's answer is the expected one. 1 for every variable:
    the layer holds the variables there, and the network uses them as the model does. That a variable can be decoded
    from a layer does not imply it.

    Pairs in which the exchange does not change the expected answer are right without any patch; ``changed`` counts the
    others, and ``accuracy_changed`` is theirs. Chance: no patch at all (``unpatched``), and as many random units of the
    rest of the layer, or a random subspace of as many dimensions (``random``); p = (1 + number of random ones at or
    above) / (1 + n_random). Intervals (Wilson's) are over pairs, and pairs that share a stimulus count as dependent.

    Where the parts were found by search (the best units, a learned rotation), give pairs of stimuli that the search did
    not see: an alignment that is fitted to the pairs on which it is scored finds any variable in a large layer. No
    rotation is learned here.

    Parameters
    ----------
    net : a torch module, or `cs.Network`.
    base, source : n stimuli each, paired by id, or by ``pairs``: a list of (base id, source id), or the name of a
        label.
    layer : label as in `cs.record`.
    parts : {variable: numbers of units of the flattened layer, or directions (k, units) as rows}.
    expected : {variable: (n,) answers}, or (n,) where there is one variable; in the order of the base stimuli, or of
        ``pairs``.
    predict : f(outputs (n, ...)) -> answers (n,). Default: the number of the largest output, or with one output whether
        it is above 0.
    n_random : random parts for each variable.   level : of intervals.   output : label of the array that is the output.

    Returns
    -------
    Interchange : ``.data``, ``.pairs``, ``.to_frame()``, ``.plot()``

    Raises
    ------
    InputError : stimuli without partner (``unpaired-stimuli``), units that do not exist, expected answers missing.
    ConsilienceWarning ``nothing-changes`` : no expected answer of a variable differs from the answer without patch.

    References
    ----------
    Geiger et al. (2021); Wilson (1927); Cameron, Gelbach & Miller (2011).

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> class Adds(torch.nn.Module):  # (a + b) + c
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.sums = torch.nn.Linear(3, 2, bias=False)
    ...         self.sums.weight.data = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    ...     def forward(self, x):
    ...         return self.sums(x).sum(dim=1)
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.integers(0, 9, (2, 50, 3))
    >>> ids = [f"pair{i}" for i in range(50)]
    >>> found = cs.interchange(
    ...     Adds(), cs.stimuli(1.0 * a, ids=ids), cs.stimuli(1.0 * b, ids=ids), "sums", {"a + b": [0], "c": [1]},
    ...     expected={"a + b": b[:, 0] + b[:, 1] + a[:, 2], "c": a[:, 0] + a[:, 1] + b[:, 2]},
    ...     predict=lambda y: y.round(), n_random=19,
    ... )
    >>> found.data["accuracy"].values
    array([1., 1.])
    """
    seed = resolve_seed(rng, who=WHO)
    net = as_network(net, who=WHO)
    n_random = check_count(n_random, name="n_random", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0, high=1)
    if batch_size is not None:
        check_count(batch_size, name="batch_size", who=WHO, minimum=1)
    if not isinstance(layer, str):
        raise InputError(
            f"{WHO}: layer must be the name of one layer, got {shorten(layer)}.", code="bad-layers"
        )
    with collect_cautions() as cautions:
        one, two = check_stimuli(base, who=WHO), check_stimuli(source, who=WHO)
        first, second, names = paired(one, two, pairs, names=SIDES, who=WHO)
        data = both(one, two, names=SIDES, who=WHO)
        places = places_of(net, [layer], data, device=device, who=WHO)
        shape = places[0].leaf.shape
        made = _cells(parts, shape, layer)
        wanted = _expected(expected, list(made), len(names))
        cells = [cell for cell, _ in made.values()]
        random = seed.stream("random")
        for cell, size in made.values():
            cells += [_random_like(cell, size, shape, random) for _ in range(n_random)]
        with (
            Interventions(
                net, data, places, batch_size=batch_size, device=device, output=output, who=WHO
            ) as engine,
            progress_bar(f"Interchanges in {net.name}", len(cells) * len(names), progress) as advance,
        ):
            plain, answers = _answers(engine, cells, first, second + one.shape[0], predict, advance)
        random_answers = answers[len(made) :].reshape(len(made), n_random, len(names))
        shares = interchange_accuracy(
            answers[: len(made)], plain, wanted, random_answers, first, second, level=level
        )
        sizes = np.array([size for _, size in made.values()])
        table = {name: ("variable", found) for name, found in {**shares, "size": sizes}.items()}
        for name, count in zip(made, shares["changed"]):
            if not count:
                warn(
                    "nothing-changes",
                    f"The expected answers of {shorten(name, 30)} are those of the network without any patch.",
                    "Its accuracy says nothing; give pairs whose sources have another value of the variable.",
                )
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    variables = np.array(list(made), dtype=object)
    each = xr.Dataset(
        {
            "answer": (("variable", "pair"), answers[: len(made)]),
            "expected": (("variable", "pair"), wanted),
            "unpatched": ("pair", plain),
        },
        coords={"variable": variables, "pair": np.array(names, dtype=object)},
    )
    return Interchange(
        data=xr.Dataset(table, coords={"variable": variables}),
        pairs=each,
        settings={
            "verb": "interchange",
            "system": net.name,
            "layer": layer,
            "n_pairs": len(names),
            "n_random": n_random,
            "level": level,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=("geiger2021causal", *net.references),
        methods=(
            f"In layer {layer}, the units of each variable were set to their values for the source stimulus in "
            f"{len(names)} pairs, and the answers compared with those of the causal model under the same exchange; "
            f"chance: {n_random} random parts of equal size. Intervals are Wilson's over pairs, clustered by stimulus.",
        ),
    )


def _cells(parts: Any, shape: tuple[int, ...], layer: str) -> dict[str, tuple[Cell, int]]:
    """{variable: (what is exchanged, its number of units or dimensions)}."""
    if not isinstance(parts, Mapping) or not parts:
        raise InputError(
            f"{WHO}: parts must be {{variable: numbers of units, or directions (k, units)}}, got {shorten(parts)}.",
            code="bad-parts",
        )
    width = int(np.prod(shape, dtype=np.int64))
    found: dict[str, tuple[Cell, int]] = {}
    for name, value in parts.items():
        rows = np.atleast_1d(to_numpy(list(value) if isinstance(value, range) else value))
        if rows.dtype.kind in "iub" and rows.ndim == 1:
            numbers = np.flatnonzero(rows) if rows.dtype == bool and rows.size == width else rows.astype(int)
            good = numbers.size > 0 and numbers.min() >= 0 and numbers.max() < width
            if good:
                on = np.zeros(width, dtype=bool)
                on[numbers] = True
                found[str(name)] = Cell({0: on.reshape(shape)}, {}), int(on.sum())
        else:
            rows = np.atleast_2d(rows)
            good = rows.dtype.kind == "f" and rows.ndim == 2 and rows.shape[1] == width
            good = good and bool(np.isfinite(rows).all()) and bool(np.abs(rows).max(initial=0.0) > 0)
            if good:
                basis = span_basis(rows)
                found[str(name)] = Cell({}, {0: basis}), basis.shape[1]
        if not good:
            raise InputError(
                f"{WHO}: the part of {name!r} must be numbers from 0 to {width - 1}, the units of layer {layer!r}, "
                f"or directions (k, {width}); got {shorten(value)}.",
                code="bad-parts",
            )
    return found


def _random_like(cell: Cell, size: int, shape: tuple[int, ...], rng: np.random.Generator) -> Cell:
    width = int(np.prod(shape, dtype=np.int64))
    if cell.entries:
        on = np.zeros(width, dtype=bool)
        others = np.flatnonzero(
            ~cell.entries[0].reshape(-1)
        )  # of the rest of the layer, where that is enough
        on[rng.choice(others if others.size >= size else width, size, replace=False)] = True
        return Cell({0: on.reshape(shape)}, {})
    return Cell({}, {0: random_basis(width, size, rng)})


def _expected(expected: Any, variables: list[str], n: int) -> np.ndarray:
    """(variables, n)."""
    given = expected if isinstance(expected, Mapping) else {variables[0]: expected}
    lacking = [name for name in variables if name not in {str(key) for key in given}]
    if lacking:
        raise InputError(
            f"{WHO}: expected has no answers for {lacking[0]!r}; give {{variable: answers}} for each of the parts.",
            code="no-target",
        )
    rows = []
    for name in variables:
        values = to_numpy(next(v for k, v in given.items() if str(k) == name))
        if values.shape != (n,) or values.dtype.kind not in "iubf":
            raise InputError(
                f"{WHO}: expected answers of {name!r} must be {n} numbers, one for each pair; got shape "
                f"{values.shape}, {values.dtype}.",
                code="shape-mismatch",
            )
        rows.append(values.astype(np.float64))
    return np.stack(rows)


def _answers(
    engine: Interventions,
    cells: list[Cell],
    base: np.ndarray,
    source: np.ndarray,
    predict: Any,
    advance: Callable[[int], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Answers without any patch (n,), and under each cell (cells, n)."""
    n = len(base)
    plain, found = np.empty(n), np.empty((len(cells), n))
    for start in range(0, n, engine.size):
        pairs = np.arange(start, min(start + engine.size, n))
        none = np.full(len(pairs), -1)
        plain[pairs] = _read(engine.capture(base[pairs], none)[1], predict)
        donor = engine.capture(source[pairs], none)[0]
        for i, outputs in engine.patched(base[pairs], none, donor, cells):
            found[i, pairs] = _read(outputs, predict)
            advance(len(pairs))
    return plain, found


def _read(outputs: np.ndarray, predict: Any) -> np.ndarray:
    if predict is None:
        flat = outputs.reshape(len(outputs), -1)
        if outputs.ndim > 2 and flat.shape[1] != outputs.shape[-1]:
            raise InputError(
                f"{WHO}: outputs have shape {outputs.shape[1:]} per stimulus; pass predict=, a function of outputs "
                "that gives one answer each.",
                code="shape-mismatch",
            )
        return np.asarray(flat[:, 0] > 0 if flat.shape[1] == 1 else flat.argmax(axis=1), dtype=np.float64)
    found = np.asarray(to_numpy(predict(outputs)))
    if found.shape != (len(outputs),) or found.dtype.kind not in "iubf":
        raise InputError(
            f"{WHO}: predict must return one number for each stimulus, ({len(outputs)},), got shape {found.shape}.",
            code="bad-evaluate",
        )
    return found.astype(np.float64)
