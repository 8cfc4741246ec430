"""The verb `synthesize`: stimuli that drive a unit, a direction, a population or a neuron, with what they are worth."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import Seed, resolve_seed
from consilience._results import Synthesis
from consilience._stimuli import check_stimuli
from consilience.analyses._synthesize_evolution import evolve
from consilience.analyses._synthesize_gradient import Gradient
from consilience.networks import Unit
from consilience.networks._input_space import learn_space
from consilience.networks._unit import as_units

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["synthesize"]

WHO = "cs.synthesize"
REFERENCES = ("erhan2009visualizing", "olah2017feature", "walker2019inception")


def synthesize(
    target: Unit | Sequence[Unit] | Callable[[np.ndarray], Any],
    /,
    *,
    method: Literal["gradient", "evolution"] | None = None,
    pattern: Literal["each", "one-hot", "stretch"] | Any = "each",
    n_seeds: int = 2,
    steps: int = 128,
    shape: int | Sequence[int] | None = None,
    bounds: tuple[Any, Any] | None = None,
    norm: float | None = None,
    channel_axis: int | None = 0,
    like: xr.DataArray | Any = None,
    natural: xr.DataArray | Any = None,
    check: Unit | Sequence[Unit] | None = None,
    parameterization: Literal["auto", "fourier", "pixel"] = "auto",
    transforms: Literal["auto"]
    | Mapping[str, float]
    | Callable[..., Any]
    | Sequence[Callable[..., Any]]
    | None = "auto",
    total_variation: float = 0.0,
    diversity: float = 0.0,
    n_null: int = 39,
    n_exemplars: int = 9,
    n_components: int = 64,
    repeats: int = 1,
    budget: int = 3000,
    callback: Callable[[Any], Any] | None = None,
    device: str | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> Synthesis:
    """Makes the stimuli that drive units most, and says what they are worth (activation maximisation; a neuron's most
    exciting input through its fitted encoder).

    ``"gradient"`` climbs x -> r(x) over stimuli x = b + norm * u / |u|, clipped to the bounds, with b the background
    (mean of the examples, else the middle of the bounds), by Adam on the Fourier coefficients of u weighted by 1 / f
    and mixed by the channels' colours, so that all scales move alike. All images of all units and seeds are one batch;
    the forward pass ends at the deepest layer that is read. For a linear unit r = w . x the result is u = w exactly.

    Places that a target cannot see (outside the box that its gradient reaches) stay background, and a norm that was not
    given is the smaller by the root of the box's share, so that contrast is that of the examples.

    Stimuli are searched where the module takes its input, after preprocess, and given back as stimuli (pixels) where
    preprocess can be inverted. Every value is measured again on the stimuli that are given back. A start without
    gradient (a rectifier that is off) is drawn anew, then led through the rectifiers, then taken from the best natural
    stimulus; where all fails it is reported and is no result.

    Not to be confused with the stimulus a unit stands for: a stimulus of this kind is one maximum out of many, and it
    may be far from all natural ones. Read ``agreement``, ``percentile``, ``p`` and ``check`` before the picture.

    Parameters
    ----------
    target : a unit or a list of k units of one network (`Network.unit`, `channel`, `direction`), or, for "evolution", a
        callable f(stimuli (n, *shape)) -> responses (n,), such as a live neuron.
    method : "gradient" (units of a module) or "evolution" (no gradients: `cs.networks.StimulusSearch`, one search per
        target; pattern, n_seeds, steps, natural, check, parameterization, transforms and the weights are not for it).
        Default: gradient for units of a module.
    pattern : for a list. "each": an image for each unit. "one-hot": an image for each unit that drives it and not the
        others, z_i - log mean exp z_j (Bashivan 2019). "stretch": one image that drives all, mean of z. z: activation
        less its mean, over its standard deviation, over natural stimuli (without, over 1/f noise). An array (k,) or
        (m, k): an image for each row, whose activations shall be these: - mean ((r - row) / sd)^2.
    n_seeds : images per target, from different starts.   steps : of Adam.
    shape, bounds, norm : of one input (after preprocess): sizes; (low, high), numbers or one per channel; the length of
        its difference from the background. Default: what a network loaded by name says of its input, else what
        ``like`` shows (shape, range per channel, median norm).
    channel_axis : the axis of an input that is not a place; None: there is none.
    like : example stimuli. Default: ``natural``.   natural : stimuli to compare with.
    check : the same units of a second, independently trained network (or one unit, for one target).
    parameterization : "fourier" or "pixel" (the values themselves). Default: Fourier for inputs with channels and
        places, pixel for vectors.
    transforms : between steps, for all images alike: "auto": a shift of up to 1/32 of the side of what the unit sees
        (none below 32 places, none for a linear unit); None; a mapping of jitter (places), rotate (degrees), zoom
        (fraction); or callables of a batch of inputs (a tensor). The last quarter of the steps sees the stimulus as it
        is, and the best of the last steps is kept.
    total_variation, diversity : weights, in standard deviations of the unit, of the mean difference of neighbours over
        the root mean square, and of the mean cosine with the other images of a target (Cadena 2018), both taken off.
    n_null : stimuli with random phases per target.   n_exemplars : best natural stimuli that are kept.
    n_components, repeats, budget : of "evolution": Fourier functions per channel, presentations of each stimulus of a
        generation, presentations of the search.
    callback : of "evolution": is called with the search after each generation; True ends it.
    device : where to run, for this call.

    Returns
    -------
    Synthesis : ``.stimuli``, ``.best``, ``.value``, ``.data``, ``.exemplars``, ``.to_frame()``, ``.plot()``

    Raises
    ------
    InputError : no shape is known (``no-shape``); all starts of all targets are dead (``dead-start``); a callable for
        "gradient"; options that are of the other method; a module that changes itself in eval mode.
    ConsilienceWarning ``below-natural`` : what was found drives the unit no more than the best natural stimulus of its
        norm, or than random phases.

    References
    ----------
    Erhan et al. (2009); Olah, Mordvintsev & Schubert (2017); Walker et al. (2019); Bashivan, Kar & DiCarlo (2019);
    Cadena et al. (2018); Kingma & Ba (2015).

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1, bias=False))
    >>> net = cs.Network(module, name="linear")
    >>> made = cs.synthesize(net.unit("output", 0), shape=(1, 8, 8), norm=1.0, transforms=None, rng=0)
    >>> w = module[1].weight.detach().numpy().ravel()
    >>> bool(abs(made.best.values.ravel() @ w / np.linalg.norm(w) - 1) < 1e-3)  # the filter itself
    True
    """
    of_gradient = {
        "pattern": pattern,
        "n_seeds": n_seeds,
        "steps": steps,
        "natural": natural,
        "check": check,
        "parameterization": parameterization,
        "transforms": transforms,
        "total_variation": total_variation,
        "diversity": diversity,
        "n_exemplars": n_exemplars,
    }
    of_evolution = {"n_components": n_components, "repeats": repeats, "budget": budget, "callback": callback}
    seed = resolve_seed(rng, who=WHO)
    asked = _check(
        target, method, n_seeds, steps, n_null, n_exemplars, total_variation, diversity, parameterization
    )
    units = None if callable(target) and not isinstance(target, Unit) else as_units(target, who=WHO)
    if method is None:
        method = "gradient" if units is not None and units[0].network.is_module else "evolution"
    _refuse_other(method, of_gradient if method == "evolution" else of_evolution)
    if method == "evolution":
        return _evolution(
            target if units is None else units,
            (shape, bounds, norm, channel_axis, like),
            {"n_components": n_components, "repeats": repeats, "budget": budget, "n_null": n_null},
            callback,
            device,
            seed,
        )
    units = as_units(target, who=WHO)
    if not units[0].network.is_module:
        raise InputError(
            f"{WHO}: {units[0].network.name} is a callable, through which no gradients flow; use method='evolution'.",
            code="not-a-module",
        )
    if diversity and n_seeds < 2:
        raise InputError(
            f"{WHO}: diversity= sets the images of a target apart and needs n_seeds=2 or more, got n_seeds={n_seeds}.",
            code="bad-parameter",
        )
    with collect_cautions() as cautions:
        natural = None if natural is None else check_stimuli(natural, who=WHO)
        like = natural if like is None else check_stimuli(like, who=WHO)
        made = Gradient(
            units,
            pattern,
            natural,
            learn_space(units[0].network, like, shape, bounds, norm, channel_axis, who=WHO)[0],
            asked | {"transforms": transforms, "device": device},
            seed,
        ).run(check)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    data, stimuli, exemplars, pictures, settings = made
    return Synthesis(
        data=data,
        stimuli=stimuli,
        exemplars=exemplars,
        pictures=pictures,
        settings=settings,
        seed=str(seed),
        warnings=tuple(cautions),
        references=(
            *REFERENCES,
            *(("bashivan2019neural",) if settings["pattern"] != "each" else ()),
            *(("cadena2018diverse",) if diversity else ()),
            *units[0].network.references,
        ),
        methods=(
            f"Stimuli were made by gradient ascent ({steps} steps of Adam, {settings['parameterization']} parameters) "
            f"at a norm of {settings['norm']:.3g} ({settings['norm_from']}) from {n_seeds} starts.",
            "Values were measured again on the stimuli that were saved"
            + (
                f" and compared with {n_null} stimuli of the same amplitude spectrum with random phases."
                if n_null
                else "."
            ),
        ),
    )


def _refuse_other(method: str, options: Mapping[str, Any]) -> None:
    """Options of the other method that are not at their default."""
    defaults = inspect.signature(synthesize).parameters
    given = [f"{name}=" for name, value in options.items() if not _same(value, defaults[name].default)]
    if not given:
        return
    many = len(given) > 1
    words = f"{', '.join(given[:-1])} and {given[-1]}" if many else given[0]
    instead = (
        "leave them out (like= gives it example stimuli), or use units of a module with 'gradient'"
        if method == "evolution"
        else "leave them out, or use method='evolution'"
    )
    raise InputError(
        f"{WHO}: {words} {'are' if many else 'is'} not for method={method!r}; {instead}.",
        code="bad-parameter",
    )


def _same(value: Any, default: Any) -> bool:
    if default is None or value is None:
        return value is default
    return isinstance(value, (str, int, float, np.integer, np.floating)) and bool(value == default)


def _evolution(
    target: Any,
    given: tuple[Any, ...],
    options: dict[str, Any],
    callback: Any,
    device: str | None,
    seed: Seed,
) -> Synthesis:
    shape, bounds, norm, channel_axis, like = given
    with collect_cautions() as cautions:
        net = target[0].network if isinstance(target, list) else None
        like = None if like is None else check_stimuli(like, who=WHO)
        space, _ = learn_space(net, like, shape, bounds, norm, channel_axis, who=WHO)
        made = evolve(target, space, seed, options, callback, device)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=3)
    return replace(made, warnings=tuple(cautions))


def _check(
    target: Any,
    method: Any,
    n_seeds: Any,
    steps: Any,
    n_null: Any,
    n_exemplars: Any,
    total_variation: Any,
    diversity: Any,
    parameterization: Any,
) -> dict[str, Any]:
    if method is not None:
        check_option(method, ["gradient", "evolution"], name="method", who=WHO)
    check_option(parameterization, ["auto", "fourier", "pixel"], name="parameterization", who=WHO)
    return {
        "n_seeds": check_count(n_seeds, name="n_seeds", who=WHO, minimum=1, maximum=1000),
        "steps": check_count(steps, name="steps", who=WHO, minimum=2),
        "n_null": check_count(n_null, name="n_null", who=WHO),
        "n_exemplars": check_count(n_exemplars, name="n_exemplars", who=WHO, minimum=1),
        "smooth": check_number(
            total_variation, name="total_variation", who=WHO, low=0, high=float("inf"), closed=True
        ),
        "diversity": check_number(
            diversity, name="diversity", who=WHO, low=0, high=float("inf"), closed=True
        ),
        "parameterization": parameterization,
    }
