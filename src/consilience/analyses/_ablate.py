"""The verb `ablate`: what is lost when parts of a network, or units of a fitted model, are removed."""

from __future__ import annotations

import dataclasses
import inspect
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, UnknownNameError, collect_cautions
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._results import Ablation
from consilience._stimuli import check_stimuli
from consilience.analyses._ablate_function import ablate_function
from consilience.analyses._ablate_network import Made, Wanted, ablate_network
from consilience.analyses._ablate_runs import Job, how_name
from consilience.analyses._checks import check_resamples
from consilience.analyses._evaluate_outputs import EVALUATES, make_network_score, read_labels
from consilience.networks import Network
from consilience.networks._inputs_seen import inputs_seen
from consilience.networks._lesion import make_parts
from consilience.networks._network import OUTPUT, as_network

if TYPE_CHECKING:
    from consilience.networks import Unit

__all__ = ["ablate"]

WHO = "cs.ablate"
REFERENCES = ("morcos2018importance", "meyes2019ablation", "agresti2005simple")


def ablate(
    net: Network | Any,
    layer: str | Sequence[str] | None = None,
    /,
    *,
    stimuli: xr.DataArray | Any = None,
    target: Any = None,
    evaluate: str | Callable[..., Any] = "accuracy",
    parts: str | int | Mapping[str, Any] | Sequence[Unit] | np.ndarray | None = None,
    parts_of: str = "units",
    how: Any = "mean",
    order: Any = "random",
    n_orders: int = 20,
    n_draws: int = 3,
    steps: Sequence[int] | None = None,
    curves: bool = True,
    single: bool = True,
    select: Any = None,
    reference: xr.DataArray | Any = None,
    times: Any = None,
    n_heads: int | None = None,
    watch: str | None = None,
    output: str = OUTPUT,
    check_how: bool = True,
    n_boot: int = 1000,
    n_perm: int = 1000,
    level: float = 0.95,
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
    **of_recorded: Any,
) -> Ablation:
    """Removes parts of a network, one by one and one after the other, and measures what is lost.

    A part acts by a projection: x' = x + Pi (r - x), with Pi its units, channels or directions and r what ``how`` puts
    in their place. Impact of a part = score of the intact network - score without it (of a loss the other way round);
    positive = it was needed. A curve is the score against the fraction of parts removed, its area the mean score along
    the way. What is lost hangs on r: zero may be a value that a part never has, so the choices are compared
    (``.agreement``) and the distance of activations downstream from intact ones is given (``off_distribution``).

    Not to be confused with selectivity (`cs.characterize`), which is about what a part answers to; with the Shapley
    value, which averages over what else is removed; or with a cause in a brain: a lesion of a model predicts one.

    Parameters
    ----------
    net : `cs.Network` or torch module (a `cs.Network` of a callable has no layers to lesion).   Of recorded data:
        responses, with ``target``; the options are then those of `cs.decode` and `cs.encode`.
    layer : a name as in the result of `cs.record`, or a list of them.
    stimuli, target : n stimuli and a label (or number) for each: an array, or the name of a coordinate of the stimuli.
    evaluate : "accuracy"; "loss" (cross-entropy, or squared error for real numbers); "probability" of the class; a
        function of (outputs, target) or (outputs) that gives (n,) scores (higher is better) or one number; without
        ``stimuli`` a function f(net) that runs the network itself and gives one number, or one per stimulus.
    parts : None: channels of a map, units of a flat layer; "units", "channels", "layer"; "heads", which are those of
        nn.MultiheadAttention, and with ``n_heads`` equal runs of features: of those that go into a Linear (name the
        projection after the heads), of those that come out of another layer; "components" or how many;
        {name: numbers} (of units, or of channels with ``parts_of="channels"``); directions (k, units); a list of
        `Unit`.
    how : "mean" (of the part over reference stimuli), "zero", "resample" (its activation for another, random reference
        stimulus), "noise" (Gaussian of its mean and spread), a number or array, "skip" (whole layers), a function of
        the activations; or a list of these.
    order : of cumulative removal. "random"; "selectivity" (of classes, highest first), "attribution" (mean gradient x
        activation of the class's output), "impact", "greedy" (the part whose loss costs least goes next; P^2 / 2
        lesions); "-" before a name: the other end first. Part numbers (whole numbers, each part once) or part names
        in order; {name: scores} (highest first), whatever the numbers; or a list of several. A bare list is scores
        only where no other reading exists (fractions); floats that are part numbers are refused. Random orders are
        always run beside, as the null, unless ``n_orders=0``.
    n_orders, n_draws : random orders; replacements drawn for "resample" and "noise", over which scores are averaged.
    steps : numbers of parts removed at which curves are read. Default: every one, of many 17 spread evenly.
    curves, single : remove one after the other; each alone.
    select : (stimuli, target) on which orders are found. Default: one half of ``stimuli``; curves are then read on the
        other half, whatever the order.
    reference : stimuli that "mean", "resample" and "noise" are taken from. Default: ``stimuli``; for a function of the
        network what it shows (the first 512).
    times : steps at which the lesion acts, of recurrent layers.   watch : the layer whose distance from intact
        activations is measured (default: the output).   output : the array that is scored.
    check_how : with one ``how``: compare it with zero, mean and resample on up to 16 parts and 256 stimuli.
    n_boot : resamples of stimuli for the interval of rank correlations (other intervals are t intervals of paired
        differences, those of accuracy after Agresti & Min).   n_perm : sign flips.   level : of intervals.
    progress : a bar; default: on a terminal only. What a run of more than 5 s will take is said on stderr unless
        this is False.

    Returns
    -------
    Ablation : ``.data``, ``.curves``, ``.agreement``, ``.to_frame()``, ``.plot()``

    Raises
    ------
    UnknownNameError : no such layer.   InputError : a layer that is never called (``hook-not-fired``), no target, an
        order that does not fit.
    ConsilienceWarning ``lesions-disagree`` : choices of ``how`` rank parts differently, or differ in what is lost.
    ConsilienceWarning ``off-distribution`` : activations downstream are where they never are.

    In simulations (300 sets of 120 stimuli, 8 hidden units) intervals of 95 % held the impact on accuracy in 0.95 to
    1.00 of sets, that on the loss in 0.92 to 0.94, and the difference of an order's area from random ones in 0.99.

    References
    ----------
    Morcos et al. (2018); Meyes et al. (2019); Zhou et al. (2018); Agresti & Min (2005).

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> module = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Identity())
    >>> _ = module[0].weight.data.copy_(torch.eye(3))
    >>> labels = np.tile([0, 1, 2], 40)
    >>> noise = 0.4 * np.random.default_rng(0).normal(size=(120, 3))
    >>> shown = cs.stimuli(np.eye(3)[labels] + noise, ids=np.arange(120))
    >>> lost = cs.ablate(module, "0", stimuli=shown, target=labels, check_how=False, rng=0)
    >>> lost.data["class_impact"].sel(how="mean").argmax("class").values  # unit k is needed for class k
    array([0, 1, 2])
    >>> bool((lost.data["q"] < 0.05).all())
    True
    """
    if not (isinstance(net, Network) or callable(net)):
        return _recorded(net, layer, target, {**locals()}, of_recorded)
    if of_recorded:
        raise UnknownNameError(
            f"{WHO}: {', '.join(f'{name}=' for name in sorted(of_recorded))} is no option for networks.",
            code="unknown-option",
        )
    seed = resolve_seed(rng, who=WHO)
    with collect_cautions() as said:
        wanted = Wanted(
            hows=_hows(how),
            order=order,
            steps=None if steps is None else _whole_steps(steps),
            curves=bool(curves),
            single=bool(single),
            select=None,
            target=target,
            n_boot=_draws(n_boot, "n_boot"),
            n_perm=_draws(n_perm, "n_perm"),
            level=check_number(level, name="level", who=WHO, low=0.0, high=1.0),
            check_how=bool(check_how),
        )
    if not (wanted.curves or wanted.single):
        raise InputError(f"{WHO}: curves=False and single=False leave nothing to do.", code="bad-parameter")
    given_net = net
    network = as_network(net, who=WHO)
    if layer is None and not isinstance(parts, (list, tuple)):
        raise InputError(
            f"{WHO}: name the layer: cs.ablate(net, layer, ...); {network.name} has "
            f"{shorten(network.layer_names, 200)}.",
            code="no-layer",
        )
    counts: dict[str, Any] = {
        "n_orders": check_count(n_orders, name="n_orders", who=WHO),
        "n_draws": check_count(n_draws, name="n_draws", who=WHO, minimum=1),
    }
    named = [order] if isinstance(order, str) else list(order) if isinstance(order, (list, tuple)) else []
    if wanted.curves and not n_orders and any(isinstance(one, str) and one == "random" for one in named):
        raise InputError(
            f"{WHO}: order='random' needs n_orders of at least 1, got 0; leave 'random' out for curves without it.",
            code="bad-parameter",
        )
    same: dict[str, Any] = {
        "watch": output if watch is None else watch,
        "output": output,
        "device": device,
        "batch_size": batch_size,
        "progress": progress,
    }
    shape = {"parts": parts, "parts_of": parts_of, "times": times, "n_heads": n_heads}
    with collect_cautions() as cautions:
        if stimuli is None:
            made, job, words = _by_function(
                given_net, network, layer, evaluate, reference, shape, wanted, counts, same, seed
            )
        else:
            data = check_stimuli(stimuli, who=WHO)
            job = Job(
                net=network,
                parts=make_parts(network, layer, data, device=device, who=WHO, **shape),
                data=data,
                labels=read_labels(data, target, who=WHO),
                evaluate=evaluate,
                reference=None if reference is None else check_stimuli(reference, who=WHO),
                seed=seed,
                who=WHO,
                **counts,
                **same,
            )
            wanted = _with_selection(wanted, job, select)
            made = ablate_network(job, wanted)
            words = evaluate if isinstance(evaluate, str) else getattr(evaluate, "__name__", "score")
    cautions = [*said, *cautions]
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return Ablation(
        data=made.data,
        curves=made.curves,
        agreement=made.agreement,
        settings={
            "verb": "ablate",
            "system": network.name,
            "layer": layer if isinstance(layer, str) else ", ".join(layer or dict.fromkeys(job.parts.layers)),
            "kind": job.parts.kind,
            "n_parts": len(job.parts),
            "evaluate": words,
            "how": [how_name(one) for one in wanted.hows],
            "n_boot": wanted.n_boot,
            "n_perm": wanted.n_perm,
            "level": wanted.level,
            **counts,
            **made.settings,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=(*REFERENCES, *network.references),
        methods=made.methods,
    )


def _recorded(data: Any, layer: Any, target: Any, given: dict[str, Any], more: dict[str, Any]) -> Ablation:
    """Units taken out of a model of recorded data, with the options that were given."""
    from consilience.analyses._ablate_recorded import ablate_recorded
    from consilience.analyses._recorded_task import Fitting

    defaults = {
        k: p.default for k, p in inspect.signature(ablate).parameters.items() if p.kind == p.KEYWORD_ONLY
    }
    chosen = {k: given[k] for k, usual in defaults.items() if k != "target" and not _same(given[k], usual)}
    of_fitting = {field.name for field in dataclasses.fields(Fitting)}
    known = of_fitting | set(inspect.signature(ablate_recorded).parameters) - {"fitting"}
    unknown = sorted(name for name in {**chosen, **more} if name not in known)
    if layer is not None or unknown:
        what = "a layer" if layer is not None else ", ".join(f"{name}=" for name in unknown)
        raise UnknownNameError(
            f"{WHO}: {what} is not for {type(data).__name__}; recorded responses take target= and the options of "
            "cs.decode or cs.encode; a network is a torch module or a cs.Network.",
            code="unknown-option",
        )
    options = {**chosen, **more, "rng": given["rng"]}
    fitting = Fitting(**{name: options.pop(name) for name in of_fitting & set(options)})
    return ablate_recorded(data, target, fitting=fitting, **options)


def _same(value: Any, usual: Any) -> bool:
    if value is None or usual is None:
        return value is usual
    return isinstance(value, (str, int, float)) and bool(value == usual)


def _by_function(
    given: Any,
    network: Network,
    layer: Any,
    evaluate: Any,
    reference: Any,
    shape: dict[str, Any],
    wanted: Wanted,
    counts: dict[str, Any],
    same: dict[str, Any],
    seed: Seed,
) -> tuple[Made, Job, str]:
    """A function runs the network; what it shows is the reference, unless one is given."""
    if isinstance(evaluate, str) and evaluate in EVALUATES:
        raise InputError(
            f"{WHO}: evaluate={evaluate!r} needs stimuli= and target=; without stimuli= pass a function of the "
            "network, f(net) -> number.",
            code="no-stimuli",
        )
    if not network.is_module:
        raise InputError(
            f"{WHO}: {network.name} is a callable; a lesion needs the layers of a torch module.",
            code="not-a-module",
        )
    score = make_network_score(
        evaluate, given, noise=int(seed.stream("noise of the network").integers(2**62)), who=WHO
    )
    start = time.perf_counter()
    if reference is None:
        first, shown = inputs_seen(network, score.f, who=WHO)
        bare = Network(network.module, name=network.name, device=network.device)
    else:
        first, shown, bare = score.f(), check_stimuli(reference, who=WHO), network
    seconds = time.perf_counter() - start
    job = Job(
        net=bare,
        parts=make_parts(bare, layer, shown, device=same["device"], who=WHO, **shape),
        data=shown,
        labels=None,
        evaluate=evaluate,
        reference=shown,
        seed=seed,
        who=WHO,
        **counts,
        **same,
    )
    return ablate_function(job, wanted, score, first, seconds), job, score.name


def _hows(how: Any) -> list[Any]:
    several = isinstance(how, (list, tuple)) and any(isinstance(one, str) or callable(one) for one in how)
    found = list(how) if several else [how]
    names = [how_name(one) for one in found]
    if len(set(names)) < len(names) or not names:
        raise InputError(f"{WHO}: how must name each choice once, got {shorten(names)}.", code="bad-how")
    return found


def _whole_steps(steps: Any) -> np.ndarray:
    found = np.asarray(steps)
    if found.ndim != 1 or not found.size or found.dtype.kind not in "iu" or found.min() < 0:
        raise InputError(
            f"{WHO}: steps must be numbers of parts removed, such as [0, 4, 16], got {shorten(steps)}.",
            code="bad-parameter",
        )
    return found


def _draws(count: Any, name: str) -> int:
    check_resamples(count, name, who=WHO)
    return int(count)


def _with_selection(wanted: Wanted, job: Job, select: Any) -> Wanted:
    from dataclasses import replace

    if wanted.steps is not None and int(np.max(wanted.steps)) > len(job.parts):
        raise InputError(
            f"{WHO}: steps go to {int(np.max(wanted.steps))}, and there are {len(job.parts)} parts.",
            code="bad-parameter",
        )
    if select is None:
        return wanted
    if isinstance(select, tuple) and len(select) == 2:
        stimuli, target = select
    elif isinstance(wanted.target, str):
        stimuli, target = select, wanted.target
    else:
        raise InputError(
            f"{WHO}: select must be (stimuli, target), or stimuli where target= is the name of their coordinate.",
            code="bad-parameter",
        )
    return replace(wanted, select=(check_stimuli(stimuli, who=WHO), target))
