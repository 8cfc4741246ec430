"""The verb `selectivity_impact`: how selective units are against what the network loses without them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, nearest, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._results import SelectivityImpact
from consilience._results._base import Result
from consilience._stimuli import check_stimuli
from consilience.analyses._evaluate_outputs import Labels, make_score, read_labels
from consilience.analyses._selectivity_impact_tables import Run, impact_table, methods_of, unit_table
from consilience.networks._lesion import Lesions, Parts, make_parts
from consilience.networks._network import Network, as_network
from consilience.networks._progress import announce_long
from consilience.networks._record import record
from consilience.networks._tap import base_of
from consilience.networks._unit import Unit
from consilience.networks._unit_respond import respond
from consilience.units._selectivity_and_impact import SELECTIVITIES, selectivity_and_impact

__all__ = ["selectivity_impact"]

WHO = "cs.selectivity_impact"
_DRAWS = 5  # of each random replacement
_LOW = 0.3  # a ceiling below this leaves little to see
_REFERENCES = (
    "morcos2018importance",
    "zhou2018revisiting",
    "rubin1981bayesian",
    "spearman1910correlation",
)


def selectivity_impact(
    net: Network | Any | Mapping[str, Any],
    layer: str | Mapping[str, str] | None = None,
    /,
    *,
    stimuli: xr.DataArray | Any = None,
    target: Any = None,
    by: Any = None,
    evaluate: Any = "accuracy",
    selectivity: Literal[
        "class_selectivity", "d_prime", "eta_squared", "lifetime_sparseness"
    ] = "class_selectivity",
    parts: Literal["units", "channels"] | Sequence[Unit] | None = None,
    how: Any = "mean",
    n_splits: int = 5,
    n_boot: int = 300,
    n_perm: int = 1000,
    level: float = 0.95,
    output: str = "output",
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> SelectivityImpact:
    """Are the selective units of a layer those that the network needs? Both on disjoint stimuli, overall and by class.

    The stimuli of each class are halved, A and B, ``n_splits`` times. Of each unit: selectivity s and preferred class c
    from A; impact I from B, which is what is lost when the unit is removed (intact less lesioned; of a loss, lesioned
    less intact): overall (Morcos et al. 2018), on the stimuli of c (class-specific, Zhou et al. 2018) and on the
    others. The correlation is Spearman's over units, r(s_A, I_B) and r(s_B, I_A) averaged over splits.

    Three things that the correlation alone hides stand beside it. ``ceiling`` = sqrt(reliability of s x reliability of
    I): of two numbers measured with noise, a low correlation may be noise. ``partial``: what is left without the unit's
    mean activation and standard deviation, which go with both. ``difference``: class-specific less overall correlation.

    Not to be confused with the order of a cumulative ablation (`cs.ablate`, order="selectivity"): a unit that matters
    together with others may do nothing alone.

    Parameters
    ----------
    net : a torch module or `cs.Network`, or {name: one}.   layer : as in `cs.record`, or {name: layer}.
    stimuli : n of them, at least 4 of each class.
    target : the right output of each stimulus: array, or label of the stimuli. None, with ``by``: what the intact
        network answers (its largest output), so that accuracy is how often the answer stays.
    by : the classes of selectivity and of class-specific impact: array or label. Default: the target.
    evaluate : "accuracy", "loss" (sees what accuracy does not: most single units change no decision), "probability",
        or f(outputs, target) -> (n,).
    selectivity : index, of activations to single stimuli (of a channel its mean over places).
    parts : None, channels of a map and units of a flat layer; "units"; "channels"; a list of `Unit` (one network).
    how : what replaces a unit: "mean" (over all stimuli), "zero", "resample", "noise", a number, f; or a list, for a
        row each. "resample" and "noise" are means of 5 draws. What the lesions will cost is said before a run of more
        than 5 s.
    n_splits, n_boot, n_perm, level, rng : as in `cs.units.selectivity_and_impact`, whose intervals are for other units
        and other stimuli together; ``se_units`` and ``se_stimuli`` tell them apart.

    Returns
    -------
    SelectivityImpact : ``.data`` (network, how, impact), ``.units``, ``.to_frame()``, ``.plot()``

    Raises
    ------
    InputError : finished tables in the place of a network (``not-disjoint``), recorded responses (``not-a-module``:
        their units cannot be removed), no layer (``no-layer``) or no stimuli (``no-stimuli``), a class of fewer than 4
        stimuli (``too-few``), negative activations with a ratio (``negative-responses``), one score for all stimuli
        together (``no-parts``).
    ConsilienceWarning ``ceiling-low`` : selectivity or impact is so noisy that the correlation says little.

    References
    ----------
    Morcos et al. (2018); Zhou et al. (2018).

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> _ = torch.manual_seed(0)
    >>> label = np.repeat([0, 1, 2], 20)
    >>> x = np.random.default_rng(0).normal(np.eye(3)[label] * 3, 1).clip(0)
    >>> module = torch.nn.Sequential(torch.nn.Linear(3, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3))
    >>> found = cs.selectivity_impact(cs.Network(module, name="net"), "1", stimuli=cs.stimuli(x, ids=range(60)),
    ...                               target=label, evaluate="loss", n_boot=20, n_perm=99)
    >>> found.data["value"].dims
    ('network', 'how', 'impact')
    """
    seed = resolve_seed(rng, who=WHO)
    nets = _networks(net)
    layers = _layers(layer, nets)
    if stimuli is None:
        raise InputError(
            f"{WHO}: stimuli= is missing; pass what the network is to see, as cs.stimuli makes it.",
            code="no-stimuli",
        )
    asked = {
        "selectivity": check_option(selectivity, list(SELECTIVITIES), name="selectivity", who=WHO),
        "n_splits": check_count(n_splits, name="n_splits", who=WHO, minimum=1),
        "n_boot": check_count(n_boot, name="n_boot", who=WHO),
        "n_perm": check_count(n_perm, name="n_perm", who=WHO),
        "level": check_number(level, name="level", who=WHO, low=0.0, high=1.0),
    }
    hows = _hows(how)
    with collect_cautions() as cautions:
        data = check_stimuli(stimuli, who=WHO)
        labels = read_labels(data, target, who=WHO)
        classes = labels if by is None else read_labels(data, by, who=WHO)
        _check_classes(classes, data)
        assert classes is not None
        runs = []
        for name, one in nets.items():
            made = make_parts(
                one,
                None if _of_units(parts) else layers[name],
                data,
                parts=parts,
                device=device,
                who=WHO,
            )
            if len(set(made.layers)) > 1:
                raise InputError(
                    f"{WHO}: parts are of {len(set(made.layers))} layers; take one layer at a time.",
                    code="bad-parts",
                )
            x = _activations(one, layers[name], data, made, parts, device, batch_size)
            for word, choice in hows.items():
                job = _Job(name, word, one, made, x, data, labels, classes)
                runs.append(job.run(choice, evaluate, output, batch_size, device, progress, asked, seed))
        for one_run in runs:
            _say_low(one_run, len(runs) > 1)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return SelectivityImpact(
        data=impact_table(runs, list(nets), list(hows)),
        units=unit_table(runs, list(nets), list(hows), len(nets) > 1),
        settings={
            "verb": "selectivity_impact",
            "systems": list(nets),
            "layers": {run.name: run.parts.layers[0] for run in runs},
            "evaluate": runs[0].score.name,
            "how": list(hows),
            "n_stimuli": int(data.shape[0]),
            "n_classes": int(np.unique(classes.values).size),
            "by": by
            if isinstance(by, str)
            else target
            if isinstance(target, str) and by is None
            else "labels",
            "kind": runs[0].parts.kind,
            "target": "own answers" if target is None and not callable(evaluate) else "given",
            **asked,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=(*_REFERENCES, *dict.fromkeys(key for one in nets.values() for key in one.references)),
        methods=methods_of(runs[0], asked),
    )


def _networks(given: Any) -> dict[str, Network]:
    if isinstance(given, Result):
        raise InputError(
            f"{WHO}: a finished {type(given).__name__} has no values of single stimuli, so that it cannot be shown "
            "that selectivity and impact come from different ones; pass the network, or arrays to "
            "cs.units.selectivity_and_impact.",
            code="not-disjoint",
        )
    if isinstance(given, (xr.DataArray, xr.Dataset, np.ndarray)):
        raise InputError(
            f"{WHO}: recorded units cannot be removed, a network is needed; where it was measured what is lost "
            "without each unit (a model of the data, as by cs.ablate, or an experiment), give responses (stimuli, "
            "units), these losses (stimuli, units) and labels to cs.units.selectivity_and_impact.",
            code="not-a-module",
        )
    if not isinstance(given, Mapping):
        one = as_network(given, who=WHO)
        return {one.name: one}
    if not given:
        raise InputError(f"{WHO}: no networks; pass {{name: network}}.", code="bad-network")
    return {str(name): as_network(one, who=WHO) for name, one in given.items()}


def _layers(given: Any, nets: Mapping[str, Network]) -> dict[str, str]:
    if isinstance(given, Result):
        raise InputError(
            f"{WHO}: finished tables cannot be joined: it cannot be shown that selectivity and impact come from "
            "different stimuli; pass the network and its stimuli.",
            code="not-disjoint",
        )
    if isinstance(given, str):
        return dict.fromkeys(nets, given)
    if given is None:
        name, one = next(iter(nets.items()))
        raise InputError(
            f"{WHO}: name the layer: {WHO}(net, layer, ...); {name} has {shorten(one.layer_names, 200)}.",
            code="no-layer",
        )
    if not isinstance(given, Mapping) or not all(isinstance(one, str) for one in given.values()):
        raise InputError(
            f"{WHO}: layer must be the name of a layer, or {{network: layer}}, got {shorten(given)}.",
            code="bad-layers",
        )
    for name in nets:
        if name not in given:
            raise InputError(
                f"{WHO}: layer= names none for network {name!r}.{nearest(name, list(map(str, given)))}",
                code="bad-layers",
            )
    return {name: given[name] for name in nets}


def _hows(how: Any) -> dict[str, Any]:
    """{words: choice}"""
    choices = list(how) if isinstance(how, (list, tuple)) else [how]
    out = {}
    for one in choices:
        word = one if isinstance(one, str) else getattr(one, "__name__", None) or shorten(one, 24)
        out["function" if word == "<lambda>" else str(word)] = one
    if not choices or len(out) < len(choices):
        raise InputError(
            f"{WHO}: how must be one or several different choices, got {shorten(how)}.", code="bad-how"
        )
    return out


def _check_classes(classes: Labels | None, data: xr.DataArray) -> None:
    if classes is None or classes.codes is None or classes.classes is None or classes.values.ndim != 1:
        raise InputError(
            f"{WHO}: a class of each of {data.shape[0]} stimuli is needed, as target= or by= (text or whole numbers), "
            "of which several stimuli are each.",
            code="bad-label",
        )


def _of_units(parts: Any) -> bool:
    return parts is not None and not isinstance(parts, str)


def _activations(
    net: Network,
    layer: str,
    data: xr.DataArray,
    made: Parts,
    parts: Any,
    device: str | None,
    batch_size: int | None,
) -> np.ndarray:
    """(n, parts): what each unit answers to each stimulus; a channel's mean over places and steps."""
    if _of_units(parts):
        units = [parts] if isinstance(parts, Unit) else list(parts)
        return np.asarray(respond(units, data, batch_size=batch_size, device=device))
    found = record(
        net,
        data,
        layers=[base_of(net, layer, who=WHO)],
        spatial="mean" if made.sites[0].space == "channels" else "flatten",
        batch_size=batch_size,
        device=device,
        progress=False,
    )
    label = layer if layer in found else f"{layer}[0]"
    if label not in found:
        raise InputError(
            f"{WHO}: {net.name} has no layer {layer!r}, but {', '.join(found)}; name one of these.",
            code="bad-layers",
        )
    values = found[label].values.astype(np.float64)
    if values.shape[1] != len(made):
        raise InputError(
            f"{WHO}: layer {layer!r} has {values.shape[1]} activations for {len(made)} parts; pass parts= as a "
            "list of units (net.unit, net.channel).",
            code="bad-parts",
        )
    return values


@dataclass(frozen=True, eq=False)
class _Job:
    """A network under one choice of ``how``."""

    name: str
    word: str
    net: Network
    parts: Parts
    x: np.ndarray
    data: xr.DataArray
    labels: Labels | None
    classes: Labels

    def _target(self, intact: np.ndarray, evaluate: Any) -> Labels | None:
        if self.labels is not None or callable(evaluate):
            return self.labels
        if intact.ndim != 2 or intact.shape[1] < 2:
            raise InputError(
                f"{WHO}: target=None takes the largest of the outputs of each stimulus as its class, and the outputs "
                f"are {intact.shape}; pass target=.",
                code="no-target",
            )
        return Labels(values=intact.argmax(axis=1))

    def run(
        self,
        how: Any,
        evaluate: Any,
        output: str,
        batch_size: int | None,
        device: str | None,
        progress: bool | None,
        asked: dict[str, Any],
        seed: Seed,
    ) -> Run:
        random = isinstance(how, str) and how in ("resample", "noise")
        with Lesions(
            self.net,
            self.data,
            self.parts,
            how=how,
            rng=seed.stream("lesions"),
            batch_size=batch_size,
            device=device,
            output=output,
            progress=progress,
            who=WHO,
        ) as run:
            score = make_score(evaluate, self._target(run.intact, evaluate), run.intact, who=WHO)
            if not score.per_stimulus:
                raise InputError(
                    f"{WHO}: evaluate gives one number for all stimuli together, and halves of them need a score of "
                    "each; return (n,) scores.",
                    code="no-parts",
                )
            intact = np.asarray(score(run.intact), dtype=np.float64)
            masks = np.eye(len(self.parts), dtype=bool)
            count = _DRAWS if random else 1
            cost, lesions = run.cost(count * len(masks)), f"{count * len(masks):,} lesions of {self.name}"
            way = f" ({cost.route}, {cost.share:.0%} of a forward pass each)"
            announce_long(WHO, f"{lesions}, how={self.word}", cost.seconds, progress, how=way)
            draws = [run.scores(masks, score.f, draw=i) for i in range(count)]
            unchanged = run.unchanged.copy()
        lost = score.sign * (intact - np.mean(draws, axis=0))
        found = selectivity_and_impact(
            self.x,
            lost.T,
            self.classes.values,
            rng=str(seed.child("correlation")),
            **asked,
        )
        return Run(self.name, self.word, self.parts, score, intact, found, unchanged)


def _say_low(run: Run, several: bool) -> None:
    ceiling = run.found.ceiling[:2]
    low = ~(ceiling >= _LOW)
    if not low.any():
        return
    words = [f"{('overall', 'class-specific')[i]} {ceiling[i]:.2f}" for i in np.flatnonzero(low)]
    where = f" of {run.name}, how={run.word}," if several else ""
    warn(
        "ceiling-low",
        f"{WHO}: selectivity and impact{where} repeat so little between halves of the stimuli that the correlation can "
        f"hardly be seen (ceiling {' and '.join(words).replace('nan', 'none')}).",
        "Show more stimuli"
        + (
            ", or take evaluate='loss', to which every stimulus adds."
            if run.score.name == "accuracy"
            else "."
        ),
    )
