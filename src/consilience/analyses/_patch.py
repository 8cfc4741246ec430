"""The verb `patch`: activations of one run put into another, by layer, place and part."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, nearest, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._results._patching import Patching
from consilience._stimuli import check_stimuli
from consilience.analyses._patch_cells import both, grid, named_places, paired
from consilience.analyses._patch_runs import Runs
from consilience.analyses._patch_scores import make_pair_score, pair_labels
from consilience.analyses._patch_tables import patch_table
from consilience.networks._network import Network, as_network
from consilience.networks._patching import Cell, Corruption, Interventions, places_of
from consilience.networks._progress import progress_bar

__all__ = ["patch"]

WHO = "cs.patch"
SIDES = ("clean", "corrupted")


def patch(
    net: Network | Any,
    clean: xr.DataArray | Any,
    corrupted: xr.DataArray | Mapping[str, Any] | Any,
    /,
    layers: str | Sequence[str],
    *,
    pairs: Sequence[tuple[str, str]] | str | None = None,
    places: Literal["each"] | int | Mapping[str, Any] | None = None,
    parts: Literal["channels"] | int | Mapping[str, Any] | None = None,
    window: int = 1,
    direction: Literal["denoise", "noise"] = "denoise",
    evaluate: Any = "difference",
    target: Any = None,
    other: Any = None,
    position: int | None = None,
    n_controls: int = 4,
    n_noise: int = 8,
    n_null: int = 2000,
    level: float = 0.95,
    output: str = "output",
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> Patching:
    """How much of what sets two runs of a network apart goes through each layer, place and part (activation patching).

    One run of each pair is repeated with some of its activations replaced by those of the other: x' = x + Pi (r - x),
    Pi 1 at the patched entries. With s the score of a run, over the pairs i,

        "denoise", clean into corrupted:  effect = mean_i(s_patched - s_corrupted) / mean_i(s_clean - s_corrupted)
        "noise", corrupted into clean:    effect = mean_i(s_clean - s_patched)     / mean_i(s_clean - s_corrupted)

    1: the patch carries all of the difference; 0: none of it. Effects may exceed 1, be negative, and need not add up:
    activations that carry the same thing in parallel count each (denoise) or none (noise). The ratio of means is taken,
    never the mean of ratios, with Fieller's interval over pairs. Patching a whole layer through which everything
    passes gives exactly 1. In a network that is linear after the patch, the change is w . (r - x), and both directions
    agree.

    Not to be confused with a lesion (`cs.ablate`): what comes in is not 0 or a mean but what this very network
    computed for another stimulus. Not to be confused with decoding: information can be readable at a place and do
    nothing there.

    Each patch is also made from ``n_controls`` other runs of the patched run's own condition (another corrupted
    stimulus, or another draw of the noise). ``p`` is the larger of two: that the mean change is 0 (flips of the pairs'
    signs), and that a control patch does as much in this direction (picks within pairs). Activations that merely must
    not be disturbed fail the first, a patch that any foreign activation would equal fails the second.

    Parameters
    ----------
    net : a torch module, or `cs.Network`.
    clean, corrupted : n stimuli each, paired by id (or ``pairs``), never by order. Or corrupted = {"layer": label,
        "sd": 3.0, "places": tokens} (causal tracing): Gaussian noise on that layer's output, ``sd`` times the standard
        deviation of its values over all units and clean stimuli, at all places or those named; ``n_noise`` draws.
    layers : labels as in `cs.record`, in the order of the network. Of nn.RNN, nn.LSTM and nn.GRU ("lstm") it is the
        hidden state (not an LSTM's cell), step by step, so that a patch feeds back.
    pairs : list of (clean id, corrupted id), or the name of a label that is unique in both.
    places : None, all places of a layer together; "each" token or place; g, that many blocks along each axis; {name:
        numbers of tokens, a tuple of numbers or slices for maps, or bool of the map}.
    parts : None, all channels together; "channels", each channel (feature, unit of a flat layer); a number of equal
        runs of features (heads that lie side by side); {name: numbers of channels}.
    window : layers patched together: each row stands for the ``window`` layers of the list around it (fewer at its
        ends). Not of layers within one another.
    evaluate : "difference", output of the target less that of ``other``; "logit", output of the target; "probability",
        "loss" (cross-entropy), "accuracy" (blunt: it sees only what crosses the boundary); or f(outputs (n, ...)[,
        target]) -> (n,), higher = better.
    target, other : number of the output for each pair, in the order of the clean stimuli (of ``pairs``), or the name of
        a label: target from the clean, other from the corrupted stimuli (default: the same label there).
    position : the token at which outputs (n, token, ...) are read. Default: the last for named scores, all for a
        function.
    n_controls : foreign patches; 0: none, and p is of the first kind alone.   n_null : draws for p; 0: none.
    level : of intervals.   output : label of the array that is the output.

    Returns
    -------
    Patching : ``.data``, ``.effect``, ``.to_frame()``, ``.plot()``

    Raises
    ------
    InputError : stimuli without partner (``unpaired-stimuli``), fewer than 2 pairs, a layer whose hook never fires.
    ConsilienceWarning ``weak-contrast`` : clean and corrupted scores are not apart, so that effects have no
        denominator; read ``change``. ``shared-stimuli`` : pairs that are not independent.

    References
    ----------
    Vig et al. (2020); Meng et al. (2022), causal tracing; Zhang & Nanda (2024); Fieller (1954).

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> first, last = torch.nn.Linear(4, 3, bias=False), torch.nn.Linear(3, 1, bias=False)
    >>> with torch.no_grad():
    ...     _ = first.weight.copy_(torch.eye(3, 4))
    ...     _ = last.weight.copy_(torch.tensor([[2.0, 1.0, 0.0]]))
    >>> net = cs.Network(torch.nn.Sequential(first, last), name="linear")
    >>> rng = np.random.default_rng(0)
    >>> ids = [f"pair{i}" for i in range(20)]
    >>> clean, corrupted = (cs.stimuli(rng.normal(size=(20, 4)) + shift, ids=ids) for shift in (1.0, -1.0))
    >>> found = cs.patch(net, clean, corrupted, "0", parts="channels", evaluate=lambda y: y[:, 0])
    >>> float(found.effect.sum().round(6)), abs(float(found.effect[-1]))  # a linear network; a unit not read
    (1.0, 0.0)
    """
    seed = resolve_seed(rng, who=WHO)
    net = as_network(net, who=WHO)
    asked = _checked(window, direction, n_controls, n_noise, n_null, level, batch_size)
    labels = [layers] if isinstance(layers, str) else list(layers)
    with collect_cautions() as cautions:
        data, runs, names, ones, noise = _stimuli(net, clean, corrupted, pairs, labels, device, asked, seed)
        sites = places_of(net, labels, data, device=device, who=WHO)
        wanted, rival = pair_labels(ones, target, other, who=WHO)
        with Interventions(
            net, data, sites, corruption=noise, batch_size=batch_size, device=device, output=output, who=WHO
        ) as engine:
            rows, cells = grid(engine.layouts(), labels, places, parts, asked["window"], who=WHO)
            made = [Cell(entries, {}) for entries in cells.values()]
            score = make_pair_score(evaluate, wanted, rival, position, who=WHO)
            with progress_bar(f"Patching {net.name}", runs.n_passes(len(made)), progress) as advance:
                found = runs.scores(engine, made, score, advance)
        table = patch_table(
            found, direction, seed, n_null=asked["n_null"], level=asked["level"], controls=asked["n_controls"]
        )
        dataset, each = _datasets(table, rows, list(cells), names)
        if table["weak"]:
            warn(
                "weak-contrast",
                f"Clean and corrupted runs differ by {table['gap']:.3g} [{table['gap_low']:.3g}, "
                f"{table['gap_high']:.3g}], not away from 0: no intervals.",
                "Effects are shares of this difference; read change, choose a corruption that matters to the score, or "
                "give more pairs.",
            )
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    tracing = noise is not None
    return Patching(
        data=dataset,
        pairs=each,
        settings={
            "verb": "patch",
            "system": net.name,
            "layers": labels,
            "score": score.name,
            "direction": direction,
            "window": asked["window"],
            "corruption": "noise" if tracing else "stimuli",
            "places": places if isinstance(places, (str, int)) or places is None else list(map(str, places)),
            "parts": parts if isinstance(parts, (str, int)) or parts is None else list(map(str, parts)),
            "n_controls": asked["n_controls"],
            "n_noise": asked["n_noise"] if tracing else 0,
            "n_null": asked["n_null"],
            "level": asked["level"],
            **{key: table[key] for key in ("gap", "gap_low", "gap_high")},
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=(
            "vig2020investigating",
            "meng2022locating",
            "zhang2024towards",
            "fieller1954some",
            *net.references,
        ),
        methods=(
            f"Activations of {len(labels)} layers were taken from the "
            f"{'clean' if direction == 'denoise' else 'corrupted'} run and put into the "
            f"{'corrupted' if direction == 'denoise' else 'clean'} run of {len(names)} pairs; effects are shares of "
            f"the difference in {score.name}, with Fieller's interval over pairs.",
            f"p: sign flips over pairs and {asked['n_controls']} control patches of the run's own condition per pair, "
            "the larger of the two; family-wise by the maximum over all patches.",
        ),
    )


def _checked(
    window: Any, direction: Any, n_controls: Any, n_noise: Any, n_null: Any, level: Any, batch_size: Any
) -> dict[str, Any]:
    check_option(direction, ["denoise", "noise"], name="direction", who=WHO)
    if batch_size is not None:
        check_count(batch_size, name="batch_size", who=WHO, minimum=1)
    return {
        "window": check_count(window, name="window", who=WHO, minimum=1),
        "direction": direction,
        "n_controls": check_count(n_controls, name="n_controls", who=WHO, maximum=1000),
        "n_noise": check_count(n_noise, name="n_noise", who=WHO, minimum=1, maximum=10_000),
        "n_null": check_count(n_null, name="n_null", who=WHO, maximum=1_000_000),
        "level": check_number(level, name="level", who=WHO, low=0, high=1),
    }


def _stimuli(
    net: Network,
    clean: Any,
    corrupted: Any,
    pairs: Any,
    labels: list[str],
    device: str | None,
    asked: dict[str, Any],
    seed: Seed,
) -> tuple[xr.DataArray, Runs, list[str], tuple[xr.DataArray, xr.DataArray | None], Corruption | None]:
    """All stimuli, the runs over them, names of the pairs, both sides in the order of pairs, and the noise."""
    one = check_stimuli(clean, who=WHO)
    if isinstance(corrupted, Mapping):
        if pairs is not None:
            raise InputError(
                f"{WHO}: pairs= pairs stimuli; noise on a layer corrupts each clean stimulus itself.",
                code="bad-parameter",
            )
        n = int(one.shape[0])
        noise = _corruption(net, one, corrupted, device, seed)
        rows = np.arange(n)
        names = np.asarray(one["stimulus"].values).astype(str).tolist()
        runs = Runs(rows, rows, noisy=True, seed=seed, **_runs(asked))
        return one, _enough(runs), names, (one, None), noise
    two = check_stimuli(corrupted, who=WHO)
    first, second, names = paired(one, two, pairs, names=SIDES, who=WHO)
    if min(np.unique(first).size, np.unique(second).size) < len(names):
        warn(
            "shared-stimuli",
            "A stimulus is in several pairs, which are then not independent.",
            "Intervals and p take pairs as independent and are too narrow; put each stimulus into one pair.",
        )
    data = both(one, two, names=SIDES, who=WHO)
    runs = Runs(first, second + one.shape[0], noisy=False, seed=seed, **_runs(asked))
    sides = (one.isel({one.dims[0]: first}), two.isel({two.dims[0]: second}))
    return data, _enough(runs), names, sides, None


def _runs(asked: dict[str, Any]) -> dict[str, Any]:
    return {key: asked[key] for key in ("direction", "n_controls", "n_noise")}


def _enough(runs: Runs) -> Runs:
    if runs.n < 2:
        raise InputError(
            f"{WHO}: at least 2 pairs are needed for an interval over pairs, got {runs.n}.", code="too-few"
        )
    return runs


def _corruption(
    net: Network, data: xr.DataArray, given: Mapping[str, Any], device: str | None, seed: Seed
) -> Corruption:
    known = {"layer", "sd", "places"}
    odd = [str(key) for key in given if key not in known]
    if odd or "layer" not in given or not isinstance(given["layer"], str):
        hint = nearest(odd[0], known) if odd else ""
        raise InputError(
            f"{WHO}: corrupted as noise is {{'layer': label, 'sd': 3.0, 'places': tokens}}, got "
            f"{shorten(dict(given))}.{hint}",
            code="bad-parameter",
        )
    times = check_number(given.get("sd", 3.0), name="corrupted['sd']", who=WHO, low=0)
    (place,) = places_of(net, [given["layer"]], data, device=device, who=WHO)
    where = given.get("places")
    at = named_places(
        place.leaf.shape,
        place.leaf.axes,
        place.channel_axis,
        place.label,
        None if where is None else {"noise": where},
        who=WHO,
    )
    (entries,) = at.values()
    with Interventions(net, data, [place], device=device, who=WHO) as engine:
        spread = engine.spread(int(data.shape[0]))[0]
    sd = times * float(np.sqrt(np.mean([found.total**2 for found in spread.values()])))
    if sd == 0:
        raise InputError(
            f"{WHO}: layer {place.label!r} gives one and the same number everywhere, so noise has no scale.",
            code="constant-units",
        )
    return Corruption(place, sd, entries, int(seed.stream("noise").integers(2**62)))


def _datasets(
    table: dict[str, Any], rows: dict[str, list[str]], cells: list[tuple[int, int, int]], names: list[str]
) -> tuple[xr.Dataset, xr.Dataset]:
    """Of the grid, and of the pairs."""
    shape = tuple(len(entries) for entries in rows.values())
    at = tuple(np.array(cells).T)

    def full(values: np.ndarray) -> np.ndarray:
        found = np.full((*shape, *values.shape[1:]), np.nan)
        found[at] = values
        return found

    coords = {name: np.array(entries, dtype=object) for name, entries in rows.items()}
    data = xr.Dataset(
        {key: (tuple(rows), full(values)) for key, values in table["cells"].items()}, coords=coords
    )
    pairs = xr.Dataset(
        {
            "clean": ("pair", table["clean"]),
            "corrupted": ("pair", table["corrupted"]),
            "change": ((*rows, "pair"), full(table["change"])),
        },
        coords={**coords, "pair": np.array(names, dtype=object)},
    )
    return data, pairs
