"""The verb `project`: components of one recording, read out of another."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._responses import check_responses
from consilience._responses._check import refuse_result
from consilience._results import Reduction
from consilience.analyses._reduce_tables import plain_labels

__all__ = ["project"]

WHO = "cs.project"


def project(reduction: Reduction, data: xr.DataArray, /) -> xr.DataArray:
    """Latents of other responses of the same units, by the map that a reduction saved: nothing is fitted.

    z = (x / scale - origin) D', with the decoder D, origin and scale of ``reduction.loadings``, bin by bin; what a
    model of sequences (GPFA) infers from whole trials is no such map.

    Parameters
    ----------
    reduction : made by `cs.reduce`, or loaded.   data : responses (trial, unit), (trial, time, unit) or (time, unit) of
        the same units, by name, in any order; more units are left out.

    Returns
    -------
    DataArray (..., component), kind "latent", with the coordinates of the data: it goes on to other verbs once
    ``component`` is renamed to ``unit``.

    Raises
    ------
    InputError : a model whose latents are no linear map of single bins (``no-map``); a unit that is missing
        (``units-differ``).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 8))
    >>> wake, sleep = (cs.responses(v, stimulus=range(30)) for v in (x[:30], x[30:]))
    >>> found = cs.reduce(wake, cs.models.PCA(2), n_boot=0, n_perm=0, rng=0)
    >>> cs.project(found, sleep).shape, bool(np.allclose(cs.project(found, wake), found.latents))
    ((30, 2), True)
    """
    if type(reduction).__name__ != "Reduction":
        raise InputError(
            f"{WHO}: reduction must be a result of cs.reduce, got {shorten(reduction, 60)}.",
            code="bad-parameter",
        )
    refuse_result(data, who=WHO, name="data", expected="responses")
    table = reduction.loadings
    if table is None or "decoder" not in table:
        raise InputError(
            f"{WHO}: the latents of {reduction.settings.get('model_name')} are no linear map of single bins, so that "
            "there is none to apply; fit a model that has one (PCA, FactorAnalysis, DPCA), or use the transform of the "
            "fitted estimator.",
            code="no-map",
        )
    checked = check_responses(data, who=WHO, name="data")
    wanted = [str(u) for u in table["unit"].values.tolist()]
    own = checked["unit"].values if "unit" in checked.coords else np.arange(checked.sizes["unit"])
    at = {str(u): i for i, u in enumerate(own.tolist())}
    lost = [u for u in wanted if u not in at]
    if lost:
        raise InputError(
            f"{WHO}: data lack {len(lost)} of the {len(wanted)} units that the components are made of, e.g. "
            f"{shorten(lost[0], 24)}; a component of other units is another one.",
            code="units-differ",
        )
    x = np.asarray(checked.values, dtype=np.float64)[..., [at[u] for u in wanted]]
    z = (x / table["scale"].values - table["origin"].values) @ table["decoder"].values.T
    dims = [str(d) for d in checked.dims[:-1]]
    coords: dict[str, Any] = {**plain_labels(checked, dims), "component": table["component"].values}
    kept = {k: checked.attrs[k] for k in ("system",) if k in checked.attrs}
    return xr.DataArray(
        z, dims=(*dims, "component"), coords=coords, name="latents", attrs={"kind": "latent", **kept}
    )
