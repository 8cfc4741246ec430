"""Do states that are close move on alike?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._arrays import Array
from consilience._core._params import check_number
from consilience.populations._linear_dynamics import leading_axes, prepared
from consilience.populations._rotation import check_components
from consilience.stats._tensor_door import as_tensor

__all__ = ["Tangling", "tangling"]

WHO = "cs.populations.tangling"
_BLOCK = 2**22  # distances at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Tangling:
    """value : the quantile of ``q`` over conditions and time, 1/s^2.   q : (conditions, time - 1) tangling of each
    state.   epsilon : what was added to squared distances, of values as they were normalised.
    """

    value: float
    q: np.ndarray
    epsilon: float


def tangling(
    x: Array,
    /,
    *,
    n_components: int = 8,
    bin_width: float = 1.0,
    softening: float = 0.1,
    quantile: float = 0.9,
    soft_normalise: float | None = None,
) -> Tangling:
    """How differently a trajectory moves on from states that are alike: low where a smooth law could make it.

        Q(t) = max over t' of ||z'_t - z'_t'||^2 / (||z_t - z_t'||^2 + eps),  eps = softening * mean ||z||^2,

    over all times and conditions, z the first principal components, z'_t = (z_(t+1) - z_t) / bin_width. A circle run
    through at w rad/s has w^2 * 4 / 4.1; a path that crosses itself has much more. Noise raises it, as does a
    trajectory of higher dimension than ``n_components``. It is a number of the speed too: compare systems in the same
    time, the same smoothing and the same number of components, and a value with its null (`cs.structure`).

    Parameters
    ----------
    x : (conditions, time, units), finite.   n_components : of z, fewer where the data have fewer.
    bin_width : s.   softening : of eps, > 0.   quantile : of Q, that becomes the value.
    soft_normalise : divide each unit by its range plus this; None = as it is.

    Returns
    -------
    Tangling

    Raises
    ------
    InputError : not three axes, NaN, fewer than 3 bins.

    References
    ----------
    Russo et al. (2018).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> t = np.arange(101) * 2 * np.pi / 100
    >>> circle, eight = np.stack([np.cos(t), np.sin(t)], 1), np.stack([np.sin(t), np.sin(2 * t)], 1)
    >>> width = t[1]  # so that it turns at 1 rad/s
    >>> [round(cs.populations.tangling(z[None], n_components=2, bin_width=width).value, 1) for z in (circle, eight)]
    [1.0, 22.4]
    """
    values = as_tensor(x, who=WHO, least=(1, 3, 1))
    k = check_components(
        min(n_components, values.shape[2]) if isinstance(n_components, int) else n_components,
        values,
        who=WHO,
        even=False,
    )
    bin_width = check_number(bin_width, name="bin_width", who=WHO, low=0.0)
    softening = check_number(softening, name="softening", who=WHO, low=0.0)
    quantile = check_number(quantile, name="quantile", who=WHO, low=0.0, high=1.0, closed=True)
    if soft_normalise is not None:
        soft_normalise = check_number(
            soft_normalise, name="soft_normalise", who=WHO, low=0.0, high=1e300, closed=True
        )
    z = prepared(values, subtract_mean=False, soft=soft_normalise)
    z = z @ leading_axes(z, k)[0]
    epsilon = softening * float((z * z).sum(axis=-1).mean())
    speed = np.diff(z, axis=1).reshape(-1, k) / bin_width
    q = _largest(z[:, :-1].reshape(-1, k), speed, epsilon).reshape(len(z), -1)
    return Tangling(value=float(np.quantile(q, quantile)), q=q, epsilon=epsilon)


def _largest(z: np.ndarray, speed: np.ndarray, epsilon: float) -> np.ndarray:
    """(n,) the largest ratio of squared distances of speeds and states to any other row."""
    size, fast = (z * z).sum(axis=1), (speed * speed).sum(axis=1)
    out = np.zeros(len(z))
    if epsilon <= 0:  # nothing varies
        return out
    step = max(1, _BLOCK // len(z))
    for a in range(0, len(z), step):
        rows = slice(a, a + step)
        near = np.maximum(size[rows, None] + size - 2 * z[rows] @ z.T, 0.0)
        far = np.maximum(fast[rows, None] + fast - 2 * speed[rows] @ speed.T, 0.0)
        out[rows] = (far / (near + epsilon)).max(axis=1)
    return out
