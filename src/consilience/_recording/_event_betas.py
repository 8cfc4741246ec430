"""`event_betas`: the response to each event in a slow signal (BOLD), by least squares."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, cautions_to_json, warn
from consilience._core._params import check_number, check_option
from consilience._recording._binning import on_edge
from consilience._recording._epoch import source_of
from consilience._recording._intervals import Intervals
from consilience._recording._labelling import made_up_ids, unit_of, with_unit_columns
from consilience._recording._on import Onsets, find_onsets, stimulus_ids, trial_labels
from consilience._recording._recording import Recording
from consilience._recording._signal import Signal
from consilience._responses import responses
from consilience._responses._check import WARNINGS
from consilience.linalg._event_model import (
    drifts,
    event_weights,
    expected_response,
    variance_inflation,
    with_more,
)

__all__ = ["event_betas"]

WHO = "cs.event_betas"
_SEEN = 0.5  # share of an expected response that must lie within the run
_INFLATED = 5.0


def event_betas(
    recording: Recording,
    /,
    *,
    on: Any,
    of: str | None = None,
    stimulus: Any = None,
    method: Literal["lss", "lsa"] = "lss",
    high_pass: float = 0.01,
    sample: float = 0.5,
    missing: Literal["raise", "omit"] = "raise",
    system: str | None = None,
) -> xr.DataArray:
    """The response to each event by least squares with a canonical response: responses (trial, unit).

    In each run, y(t) = sum_i b_i x_i(t) + drifts + noise; x_i is the event, from its start to its stop, convolved with
    the double gamma response (see Notes). "lsa" (least squares, all) fits every b_i in one model. "lss" (least squares,
    separate) fits for each event a model of its own: that event, and for each stimulus the sum of the others.

    Parameters
    ----------
    recording : with a signal, such as ``bold`` of NIfTI or BIDS. Runs are the stretches that were ``observed``, and
        each is fitted by itself.
    on : "table" of intervals or events, `Intervals`, `Events`, or times (s). Events without duration count as brief.
    of : the signal; needed where there are several.
    stimulus : the column with stimulus ids (trial_type); see `Recording.epoch`. "lss" groups the others by it.
    method : "lss" or "lsa". Where events follow each other within a few seconds "lsa" is unbiased and noisy, "lss" is
        steadier, and mixes neighbours a little; far apart they agree.
    high_pass : Hz; slower drifts (cosines, and a constant) are fitted along. Conditions that alternate more slowly than
        this are taken off with them.
    sample : share of the repetition time after a volume's start at which the model is taken: 0.5, the middle, for data
        that are slice-time corrected to it, or not at all.
    missing : events of which less than half of the expected response lies within a run: "raise" or "omit".

    Returns
    -------
    DataArray (trial, unit), kind bold: in the unit of the signal, the height to which a lasting event would rise (brief
    events: the coefficient of h(t) x 1 s). Columns of the table are labels, and ``run`` counts the runs.

    Notes
    -----
    h = (g6 - g16 / 6) / (5 / 6), with gk the gamma density of shape k and scale 1 s; no derivative, and one shape for
    all voxels. Noise is taken as white: estimates are unbiased under autocorrelation too, but not the most precise.
    Events within a run share its noise: hold whole runs out (``groups="run"``, ``folds="run"``).

    Raises
    ------
    InputError : no such signal or table, events that cannot be told apart (at the same time).

    References
    ----------
    Mumford et al. (2012); Friston et al. (1998) for the response.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> from consilience.linalg._event_model import expected_response
    >>> t, on = np.arange(60) * 2.0, np.array([4.0, 34.0, 64.0, 94.0])
    >>> bold = np.array([1.0, 2.0, 1.0, 2.0]) @ expected_response(t + 1, on, np.full(4, 3.0)) + 100
    >>> rec = cs.Recording(
    ...     "sub-01",
    ...     signals={"bold": cs.Signal(bold, t, kind="bold")},
    ...     intervals={"events": cs.Intervals(on, on + 3, {"trial_type": list("abab")})},
    ... )
    >>> cs.event_betas(rec, on="events", stimulus="trial_type").values.ravel().round(3)
    array([1., 2., 1., 2.])
    """
    check_option(method, ("lss", "lsa"), name="method", who=WHO)
    check_option(missing, ("raise", "omit"), name="missing", who=WHO)
    slow = check_number(high_pass, name="high_pass", who=WHO, low=0.0, closed=True)
    share = check_number(sample, name="sample", who=WHO, low=0.0, high=1.0, closed=True)
    if not isinstance(recording, Recording):
        raise InputError(
            f"{WHO}: a cs.Recording is expected, got {type(recording).__name__}.", code="bad-recording"
        )
    signal = source_of(recording, of, WHO) if of is not None else _only_signal(recording)
    if signal is None:
        raise InputError(f"{WHO}: of= must name a signal, not spikes.", code="unknown-name")
    found, duration = _events(recording, on)
    ids, unknown, labels = stimulus_ids(found, stimulus, WHO)
    if unknown.any():  # they have a response too, so that none can be left out of the model
        raise InputError(
            f"{WHO}: {int(unknown.sum())} of {unknown.size} events of {found.name} have no stimulus id (first: event "
            f"{int(np.flatnonzero(unknown)[0])}); give each one, or pass the events without them as on=.",
            code="bad-ids",
        )
    names, cautions = trial_labels(labels, signal.columns, found.name)
    if ids is None:
        cautions.append(made_up_ids(found.name))
        ids = np.array([f"trial{i:05d}" for i in range(found.time.size)])
        groups = np.zeros(found.time.size, dtype=np.int64)
    else:
        groups = np.unique(ids, return_inverse=True)[1]
    betas, run, inflation = _fitted(recording, signal, found, duration, groups, method == "lss", slow, share)
    keep = run >= 0
    if not keep.all():
        said = (
            f"{int((~keep).sum())} of {keep.size} events of {found.name} have no time, or less than half of their "
            "expected response lies within a run"
        )
        if missing == "raise" or not keep.any():
            raise InputError(f"{WHO}: {said}; missing='omit' leaves them out.", code="outside-recording")
        cautions.append(Caution("trials-left-out", f"{said}; they were left out.", ""))
    crowded = inflation[keep] > _INFLATED
    if crowded.any():
        cautions.append(
            Caution(
                "events-overlap",
                f"The responses to {int(crowded.sum())} of {int(keep.sum())} events overlap with those of others: the "
                f"variance of their estimates is up to {inflation[keep].max():.3g} times that of events apart.",
                "method='lss' is steadier." if method == "lsa" else "Average many events of a stimulus.",
            )
        )
    data = responses(
        betas[keep],
        kind=signal.kind,  # type: ignore[arg-type]
        dims=("trial", "unit"),
        stimulus=ids[keep].tolist(),
        unit=signal.channels,
        system=system or recording.name,
        repeat=None if np.unique(ids[keep]).size == int(keep.sum()) else "count",
    )
    data = data.assign_coords({name: ("trial", entries[keep]) for name, entries in names.items()})
    if "run" not in data.coords:
        data = data.assign_coords(run=("trial", run[keep]))
    data = with_unit_columns(data, signal.columns)
    data.attrs |= {"reduce": method, "recording": recording.name} | unit_of(signal)
    for caution in cautions:
        warn(caution.code, caution.message, caution.remedy)
    if cautions:
        data.attrs[WARNINGS] = cautions_to_json(cautions)
    return data


def _only_signal(recording: Recording) -> Signal:
    if len(recording.signals) != 1:
        raise InputError(
            f"{WHO}: the recording has {len(recording.signals)} signals; say which: of="
            f"{' or '.join(map(repr, list(recording.signals)[:6])) or '...'}.",
            code="unknown-name",
        )
    return next(iter(recording.signals.values()))


def _events(recording: Recording, on: Any) -> tuple[Onsets, np.ndarray]:
    """The events, and how long each is."""
    found = find_onsets(on, recording.intervals, recording.events, whole=False, who=WHO)
    table = on.removesuffix(".start_time") if isinstance(on, str) else ""
    rows = on if isinstance(on, Intervals) else recording.intervals.get(table)
    if not found.time.size:
        raise InputError(f"{WHO}: {found.name} has no events.", code="too-few")
    return found, np.zeros(found.time.size) if rows is None else np.array(rows.duration)


def _fitted(
    recording: Recording,
    signal: Signal,
    found: Onsets,
    duration: np.ndarray,
    groups: np.ndarray,
    separately: bool,
    high_pass: float,
    share: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(events, units) estimates, the run of each event (-1: none), and the inflation of its variance."""
    runs = recording.observed.merged() if recording.observed is not None else recording.span(signal)
    count = found.time.size
    betas = np.full((count, signal.channels.size), np.nan)
    run, inflation = np.full(count, -1), np.full(count, np.nan)
    known, slack = np.isfinite(found.time), on_edge(runs.start, runs.stop)
    for r, (start, stop) in enumerate(zip(runs.start, runs.stop)):
        first, last = np.searchsorted(signal.time, [start - slack, stop - slack])
        mine = np.flatnonzero(known & (found.time >= start - slack) & (found.time < stop - slack))
        if last - first < 4 or not mine.size:
            continue
        times = signal.time[first:last]
        step = float(np.median(np.diff(times)))
        if np.abs(np.diff(times) - step).max() > 0.01 * step:
            raise InputError(
                f"{WHO}: the samples of run {r} are not in even steps; a model of drifts needs that.",
                code="bad-time",
            )
        x = expected_response(times + share * step, found.time[mine], duration[mine])
        beyond = times[-1] + share * step + step * np.arange(1, 1 + int(np.ceil(40 / step)))
        rest = expected_response(beyond, found.time[mine], duration[mine])
        inside = (x**2).sum(axis=1) >= _SEEN * ((x**2).sum(axis=1) + (rest**2).sum(axis=1))
        part, x, mine = x[~inside], x[inside], mine[inside]
        if not mine.size:
            continue
        nuisance = with_more(drifts(times.size, step, high_pass), part)  # what is seen of those left out
        try:
            weights = event_weights(x, nuisance, groups[mine], separately=separately)
        except np.linalg.LinAlgError:
            raise InputError(
                f"{WHO}: in run {r} the responses to {mine.size} events cannot be told apart, or from the drifts "
                "(events at the same time, more events than volumes, or slower than high_pass); "
                + (
                    "lower high_pass=, or leave events out."
                    if separately
                    else "method='lss', or lower high_pass=."
                ),
                code="events-alike",
            ) from None
        values = signal.rows(int(first), int(last)).astype(np.float64)
        if not np.isfinite(values).all():
            raise InputError(
                f"{WHO}: the signal has NaN within run {r}; leave those channels out (Signal.select).",
                code="nan-values",
            )
        betas[mine] = weights @ (values - values.mean(axis=0))
        run[mine], inflation[mine] = r, variance_inflation(weights, x, nuisance)
    return betas, run, inflation
