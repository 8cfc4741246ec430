"""Shapley values of the 64 units of a hidden layer: 32 random orders, 512 stimuli."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close
from consilience._core._seeds import resolve_seed
from consilience.stats._shapley_sampling import random_orders

__all__ = ["rows"]

STIMULI, PIXELS, WIDE, UNITS, CLASSES, SETS = 512, 784, 512, 64, 10, 8
LOOP = "a loop of forward passes with hooks"


def rows(threads: int) -> list[Row]:
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(PIXELS, WIDE),
        torch.nn.ReLU(),
        torch.nn.Linear(WIDE, UNITS),
        torch.nn.ReLU(),
        torch.nn.Linear(UNITS, UNITS),
        torch.nn.ReLU(),
        torch.nn.Linear(UNITS, CLASSES),
    ).eval()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(STIMULI, PIXELS)).astype(np.float32)
    net = cs.Network(module, name="mlp")
    stimuli = cs.stimuli(x, ids=[f"s{i:03d}" for i in range(STIMULI)])
    with torch.inference_mode():
        target = module(torch.from_numpy(x)).argmax(dim=1).numpy()
    budget = SETS * 4 * (UNITS - 1) + 2 + 2 * UNITS

    def ours() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cs.shapley(
                net,
                "3",
                stimuli=stimuli,
                target=target,
                evaluate="probability",
                budget=budget,
                precision=1e-9,
                rng=0,
            ).value

    def loop() -> Any:
        orders = random_orders(UNITS, SETS, resolve_seed(0, who="benchmark").stream("orders")).reshape(
            -1, UNITS
        )
        data, rows = torch.from_numpy(x), np.arange(STIMULI)
        present = torch.zeros(UNITS, dtype=torch.bool)
        with torch.inference_mode():
            mean = module[:4](data).mean(dim=0)

            def value() -> float:
                p = torch.softmax(module(data), dim=1).numpy()
                return float(p[rows, target].astype(np.float64).mean())

            hook = module[3].register_forward_hook(lambda m, i, out: torch.where(present, out, mean))
            found = np.zeros(UNITS)
            for order in orders:
                present[:] = False
                before = value()
                for unit in order:
                    present[unit] = True
                    after = value()
                    found[unit] += after - before
                    before = after
            hook.remove()
        return found / len(orders)

    def check(answers: dict[str, Any]) -> str:
        away = close(answers[LOOP], answers[OURS], 1e-5, "Shapley values")
        return f"Shapley values equal to {away:.0e}"

    return [
        Row(
            name="shapley",
            work=f"{SETS * 4} orders of {UNITS} units, {SETS * 4 * (UNITS - 1):,} coalitions, {STIMULI} stimuli",
            sides=(Side(OURS, ours), Side(LOOP, loop)),
            check=check,
            targets=(Target("faster", 5, LOOP),),
            repeats=3,
        )
    ]
