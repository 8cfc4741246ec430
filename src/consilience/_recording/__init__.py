"""Recordings: ragged sessions on one clock, and the ways from them to responses (`epoch`, `bin`)."""

from consilience._recording._event_betas import event_betas
from consilience._recording._intervals import Events, Intervals
from consilience._recording._recording import Recording
from consilience._recording._signal import Signal
from consilience._recording._spikes import SpikeTrains

__all__ = ["Events", "Intervals", "Recording", "Signal", "SpikeTrains", "event_betas"]
