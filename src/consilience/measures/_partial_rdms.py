"""Partial comparison of RDMs: what two share beyond others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from consilience._core._arrays import Array, as_same_library
from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience.measures._ranks import rank
from consilience.measures._rdm_door import check_varies, condensed_rdm, kept_pairs

__all__ = ["partial_compare_rdms"]


def partial_compare_rdms(
    a: Array,
    b: Array,
    given: Array | Sequence[Array],
    /,
    *,
    method: Literal["pearson", "spearman"] = "spearman",
    semi: bool = False,
    missing: Literal["raise", "omit"] = "raise",
) -> Array:
    """Correlation of two RDMs after what others explain linearly is taken off.

    value = corr(a - fit of a on given, b - fit of b on given) over pairs of stimuli, fits by least squares with a
    constant (of ranks, for Spearman).

    Parameters
    ----------
    a, b : condensed RDM (n(n-1)/2,) in SciPy's order, or square (n, n), of the same stimuli
    given : one such RDM or a list of them
    method : ``"pearson"`` or ``"spearman"`` (ties get mean ranks)
    semi : True: the semi-partial correlation; ``given`` is taken off b alone.
    missing : ``"omit"`` leaves out pairs with NaN in any of them.

    Returns
    -------
    0-d array of the library of ``a`` (computed in NumPy), in [-1, 1]; 0 for independent RDMs. For an interval and
    p over stimuli of what a model explains alone, see `cs.partition`.

    Raises
    ------
    InputError : other shapes or sizes, NaN, constant RDMs, fewer pairs than RDMs need, or an RDM that the others
        explain fully.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> shared, a, b = rng.normal(size=(3, 190))
    >>> one, two = shared + a, shared + b
    >>> float(cs.measures.compare_rdms(one, two, method="pearson").round(2))
    0.5
    >>> float(cs.measures.partial_compare_rdms(one, two, shared, method="pearson").round(2))
    0.02
    """
    who = "partial_compare_rdms"
    check_option(method, ("pearson", "spearman"), name="method", who=who)
    check_option(missing, ("raise", "omit"), name="missing", who=who)
    if not isinstance(semi, (bool, np.bool_)):
        raise InputError(f"{who}: semi must be True or False, got {semi!r}.", code="bad-parameter")
    others = list(given) if isinstance(given, (list, tuple)) and np.ndim(given[0]) > 0 else [given]
    named = [(a, "a"), (b, "b"), *((g, f"given[{i}]") for i, g in enumerate(others))]
    vectors = [condensed_rdm(v, name, who=who, missing=missing) for v, name in named]
    if len({v.size for v in vectors}) > 1:
        raise InputError(
            f"{who}: all RDMs must be of the same stimuli, got {', '.join(str(v.size) for v in vectors)} pairs.",
            code="rows-differ",
        )
    kept = kept_pairs(*vectors, who=who)
    if kept.sum() < len(vectors) + 2:
        raise InputError(
            f"{who}: {len(vectors)} RDMs need at least {len(vectors) + 2} pairs, got {int(kept.sum())}.",
            code="too-few",
        )
    made = [check_varies(v[kept], v[kept]) for v in vectors]
    made = [rank(v) if method == "spearman" else v - v.mean() for v in made]
    design = np.stack(made[2:], axis=1)
    design = design / np.linalg.norm(design, axis=0)
    left = []
    for v, name, alone in ((made[0], "a", semi), (made[1], "b", False)):
        rest = v if alone else v - design @ np.linalg.lstsq(design, v, rcond=None)[0]
        if np.linalg.norm(rest) <= 1e-9 * np.linalg.norm(v):
            raise InputError(
                f"{who}: the given RDMs explain {name} fully, so nothing is left to compare; leave one out.",
                code="constant-rdm",
            )
        left.append(rest / np.linalg.norm(rest))
    value = np.asarray(left[0] @ left[1])
    return as_same_library(value, a) if hasattr(a, "shape") else value[()]
