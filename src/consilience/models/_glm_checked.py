"""X and y of a GLM, checked; what is refused has a code, and is said with what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from consilience._core._errors import InputError

__all__ = ["checked"]

_TYPES = [np.float64, np.float32]


def checked(model: Any, X: Any, y: Any = None, *, who: str, reset: bool = True) -> Any:
    """X and y of a fit, or X alone of a fitted model (``reset=False``), as `validate_data` gives them."""
    _check_finite(X, y, who, both=reset)
    try:
        if not reset:
            return validate_data(model, X, reset=False, dtype=_TYPES)
        return validate_data(
            model, X, y, dtype=_TYPES, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
    except InputError:
        raise
    except ValueError as error:
        raise _said(f"{who}: {str(error).strip().rstrip('.')}.") from None


def _said(text: str) -> InputError:
    """The refusal of scikit-learn, with a code and a remedy."""
    if "inconsistent numbers" in text:
        return InputError(f"{text} Give X and y a row for every sample.", code="rows-differ")
    if "features, but" in text:
        return InputError(f"{text} Give the columns of the fit, in their order.", code="bad-columns")
    if "minimum of" in text:
        return InputError(f"{text} Give X (samples, features), a sample in each row.", code="too-few")
    if "NaN" in text or "infinity" in text:
        return InputError(f"{text} Leave out these rows of X and y.", code="nan-values")
    return InputError(text)


def _check_finite(X: Any, y: Any, who: str, *, both: bool) -> None:
    for name, given in (("X", X), ("y", y)):
        if not isinstance(given, np.ndarray) or given.dtype.kind != "f" or given.ndim not in (1, 2):
            continue
        bad = ~np.isfinite(given)
        if bad.any():
            rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
            where = " (`lagged` gives NaN where the past is missing)" if name == "X" else ""
            raise InputError(
                f"{who}: {name} has NaN or infinite values in {rows.size} of {len(bad)} rows, first in row "
                f"{rows[0]}{where}; leave those rows out{' of X and y' if both else ''}: keep = np.isfinite({name})"
                f"{'.all(axis=1)' if given.ndim == 2 else ''}, then X[keep]{' and y[keep]' if both else ''}.",
                code="nan-values",
            )
