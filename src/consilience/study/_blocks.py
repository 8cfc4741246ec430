"""The blocks of a study: each reads finished blocks, computes one thing, and writes its product into a
folder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.study._arrays import read_arrays, write_arrays
from consilience.study._digest import array_digest

__all__ = ["BLOCKS", "CODE", "get_stimuli", "load_result", "merged_side"]

_PICTURES = 3  # how many layers at most stand in the RDM pictures


def get_stimuli(source: str, *, is_dataset: bool) -> xr.DataArray:
    """The stimuli of a data set, or those in a folder."""
    if is_dataset:
        from consilience.datasets import load

        found = load(source).stimuli
        if found is None:
            raise InputError(
                f"{source} holds recordings and has no stimuli; name another.", code="no-stimuli"
            )
        return found
    from consilience._stimuli import stimuli

    return stimuli(source)


def record_block(settings: Mapping[str, Any], needs: Sequence[Path], folder: Path) -> None:
    """Records the layers of a network, or of a baseline copy of it."""
    from consilience import networks

    stimuli = get_stimuli(settings["stimuli"], is_dataset=settings["is_dataset"])
    if array_digest(stimuli) != settings["stimuli_digest"]:
        raise InputError(
            f"record: the stimuli in {settings['stimuli']!r} changed while the study ran; run it again.",
            code="input-changed",
        )
    net = networks.load(settings["network"])
    if settings["baseline"] is not None:
        kind, seed = settings["baseline"]
        net = getattr(net, kind)(seed=seed, stimuli=stimuli)
    layers = networks.record(net, stimuli, layers=list(settings["layers"]), spatial=settings["spatial"])
    write_arrays(folder, layers, by_id=True)


def merged_side(members: Sequence[tuple[str, Path]]) -> dict[str, xr.DataArray]:
    """Systems of one side as one mapping; where two systems have a member of the same name, all are called
    system/member."""
    parts = [(name, read_arrays(path)) for name, path in members]
    names = [inner for _, part in parts for inner in part]
    plain = len(set(names)) == len(names)
    return {
        inner if plain else f"{name}/{inner}": data for name, part in parts for inner, data in part.items()
    }


def _sides(settings: Mapping[str, Any], needs: Sequence[Path], *sides: str) -> list[dict[str, xr.DataArray]]:
    return [merged_side([(name, needs[i]) for name, i in settings[side]]) for side in sides]


def _copies(settings: Mapping[str, Any], needs: Sequence[Path]) -> dict[int, dict[str, xr.DataArray]]:
    return {
        int(seed): merged_side([(name, needs[i]) for name, i in members])
        for seed, members in settings["baseline"]
    }


def compare_block(settings: Mapping[str, Any], needs: Sequence[Path], folder: Path) -> None:
    """One compare step with one measure."""
    from consilience import measures
    from consilience.analyses import compare

    a, b = _sides(settings, needs, "a", "b")
    measure: Any = settings["measure"]
    if settings["measure_options"]:
        measure = functools.partial(getattr(measures, measure), **settings["measure_options"])
    options = dict(settings["options"])
    if settings["baseline"]:
        options["baseline"] = _copies(settings, needs)
    result = compare(a, b, measure, rng=settings["seed"], **options)
    result.save(folder / "result.nc")


def verb_block(settings: Mapping[str, Any], needs: Sequence[Path], folder: Path) -> None:
    """One step of any other verb: its systems, its options as the function takes them, the study's seed."""
    from consilience.study._verbs import VERBS, call_of

    verb = VERBS[settings["verb"]]
    options = {
        key: verb.made[key](value) if key in verb.made else value
        for key, value in settings["options"].items()
    }
    sides = dict(zip(settings["sides"], _sides(settings["sides"], needs, *settings["sides"])))
    _check_alone(settings["verb"], sides)
    arguments, options = (verb.arguments or _plain_arguments(settings["verb"]))(sides, options)
    if settings.get("baseline"):
        copies = _copies(settings, needs)
        options["baseline"] = {
            seed: next(iter(one.values())) if len(one) == 1 else one for seed, one in copies.items()
        }
    if settings["seed"] is not None:
        options["rng"] = settings["seed"]
    call_of(settings["verb"])(*arguments, **options).save(folder / "result.nc")


def _check_alone(name: str, sides: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuses several arrays where the verb takes one: here, since a verb's own ``arguments`` would take the first."""
    from consilience.study._verbs import VERBS

    for key, side in VERBS[name].sides.items():
        if side.alone and key in sides and len(sides[key]) != 1:
            listed = ", ".join(shorten(inner, 40) for inner in list(sides[key])[:4])
            raise InputError(
                f"{name}: {key}: takes one system, and there are {len(sides[key])} ({listed}); name one, as in "
                f"{key}: system/layer.",
                code="one-system",
            )


def _plain_arguments(name: str) -> Callable[..., tuple[list[Any], dict[str, Any]]]:
    """The sides in the order of the table, each as it says."""
    from consilience.study._verbs import VERBS

    def arguments(
        sides: dict[str, dict[str, Any]], options: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        positional, keyword = [], dict(options)
        for key, side in sides.items():
            how = VERBS[name].sides[key]
            given = next(iter(side.values())) if how.alone or (how.single and len(side) == 1) else side
            if how.keyword:
                keyword[key] = given
            else:
                positional.append(given)
        return positional, keyword

    return arguments


def rdms_block(settings: Mapping[str, Any], needs: Sequence[Path], folder: Path) -> None:
    """RDM pictures: the best few systems of side a, chosen by the first comparison, and all of side b."""
    from consilience._responses import common_ids, select_ids
    from consilience.analyses import rdms

    a, b = _sides(settings, needs, "a", "b")
    comparison = load_result(needs[settings["comparison"]])
    chosen = list(a)
    if len(a) > _PICTURES:
        means = comparison.data["value"].isel(measure=0).mean("b")
        order = sorted(range(means.sizes["a"]), key=lambda i: -float(means.values[i]))
        favourites = [str(means["a"].values[i]) for i in order]
        if comparison.best_a is not None:
            nested = [
                str(name) for name in comparison.best("a").data["chosen"].isel(measure=0).values.reshape(-1)
            ]
            favourites = [*nested, *favourites]
        chosen = [name for name in dict.fromkeys(favourites) if name in a][:_PICTURES]
    pictured = {
        **{name: a[name] for name in a if name in chosen},
        **{name: data for name, data in b.items() if name not in chosen},
    }
    if settings["join"] == "inner":
        ids = common_ids(pictured, join="inner", who="rdms")
        pictured = {name: select_ids(data, ids) for name, data in pictured.items()}
    rdms(pictured, distance="correlation").save(folder / "result.nc")


def load_result(folder: Path) -> Any:
    """The result that a block wrote."""
    from consilience._results import load

    return load(folder / "result.nc")


Block = Callable[[Mapping[str, Any], Sequence[Path], Path], None]

# kind of block -> its function; and the sub-packages whose code its product depends on
BLOCKS: dict[str, Block] = {
    "record": record_block,
    "compare": compare_block,
    "rdms": rdms_block,
    "verb": verb_block,
}
_COMMON = ("_core", "_responses", "study/_blocks", "study/_arrays", "study/_digest")
CODE: dict[str, tuple[str, ...]] = {
    "data": _COMMON,
    "record": (*_COMMON, "networks", "_stimuli", "datasets"),
    "compare": (*_COMMON, "analyses", "measures", "stats", "linalg", "_results"),
    "rdms": (*_COMMON, "analyses", "measures", "stats", "linalg", "_results"),
    "verb": (
        *_COMMON,
        "study/_verbs",
        "study/_verbs_lesions",
        "study/_verbs_units",
        "study/_verbs_populations",
        "study/_decode",
        "study/_lesions",
        "study/_shapley",
        "study/_robustness",
        "study/_attribution",
        "study/_patch",
        "study/_selectivity_impact",
        "study/_evaluate",
        "analyses",
        "networks",
        "models",
        "units",
        "populations",
        "measures",
        "stats",
        "linalg",
        "_results",
    ),
}
