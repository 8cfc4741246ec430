"""Recurrent layers run step by step, so that what is done to their state feeds back.

Changing what nn.RNN, nn.LSTM or nn.GRU returns would not do: all its steps have been computed by then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from consilience._core._errors import InputError
from consilience.networks._lesion_places import Place

__all__ = ["act_recurrent"]


def act_recurrent(
    stack: contextlib.ExitStack,
    module: Any,
    places: Sequence[tuple[int, Place, Callable[[], int]]],
    touch: Callable[[int, int, Any, tuple[Any, ...]], Any],
) -> None:
    """``forward`` of a recurrent module runs its equations one step at a time and hands the hidden state of each step
    to ``touch``, layer by layer; closed by ``stack``. ``places``: number, place and the count of its steps.
    """

    def forward(given: Any, hx: Any = None) -> Any:
        return _run(module, given, hx, places, touch)

    before = module.__dict__.get("forward")
    module.__dict__["forward"] = forward

    def restore() -> None:
        if before is None:
            module.__dict__.pop("forward", None)
        else:
            module.__dict__["forward"] = before

    stack.callback(restore)


def _run(
    module: Any, given: Any, hx: Any, places: Sequence[tuple[int, Place, Callable[[], int]]], touch: Any
) -> Any:
    import torch

    if not isinstance(given, torch.Tensor) or given.ndim != 3:
        raise InputError(
            f"{places[0][1].label}: the state of a recurrent layer can be lesioned where it gets plain batches (no "
            "packed sequences).",
            code="bad-layers",
        )
    x = given.transpose(0, 1) if module.batch_first else given  # (steps, b, features)
    lstm = module.mode == "LSTM"
    zero = x.new_zeros(module.num_layers, x.shape[1], module.hidden_size)
    h0, c0 = (zero, zero) if hx is None else hx if lstm else (hx, zero)
    last_h, last_c = [], []
    for level in range(module.num_layers):
        step = _step(module, level)
        h, c, out = h0[level], c0[level], []
        for at in range(len(x)):
            h, c = step(x[at], h, c)
            for number, place, count in places:
                if place.level != level:
                    continue
                call = count()
                if place.calls is None or call in place.calls:
                    new = touch(number, call, h, (x[at],))
                    h = h if new is None else new.to(h.dtype)
            out.append(h)
        x = torch.stack(out)
        last_h.append(h)
        last_c.append(c)
    given = x.transpose(0, 1) if module.batch_first else x
    states = torch.stack(last_h)
    return given, ((states, torch.stack(last_c)) if lstm else states)


def _step(module: Any, level: int) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """(x, h, c) -> (h, c) of one layer; c stays what it is but in an LSTM."""
    import torch

    names = [f"weight_ih_l{level}", f"weight_hh_l{level}", f"bias_ih_l{level}", f"bias_hh_l{level}"]
    weights: list[Any] = [getattr(module, name, None) for name in names]
    if module.mode == "LSTM":
        return lambda x, h, c: torch.lstm_cell(x, (h, c), *weights)
    cell: Any = {"GRU": torch.gru_cell, "RNN_TANH": torch.rnn_tanh_cell, "RNN_RELU": torch.rnn_relu_cell}[
        module.mode
    ]
    return lambda x, h, c: (cell(x, h, *weights), c)
