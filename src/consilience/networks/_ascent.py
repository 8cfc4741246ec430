"""Gradient ascent on stimuli: many images for many units in one batch, with guards against starts that are dead."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._memory import available_memory
from consilience._core._seeds import Seed
from consilience.networks._gradient import reading
from consilience.networks._objective import Objective, spread_penalty, total_variation
from consilience.networks._parameters import Parameters
from consilience.networks._transforms import Transforms
from consilience.networks._unit import Unit

__all__ = ["Ascent", "Plan", "ascend"]

_DRAWS = 5  # further starts of an image whose gradient is 0
_LOOKS = 2  # noise stimuli on which it is looked what a unit sees
_WARM = 32  # steps with gradients through rectifiers that are off
_PLAIN = 0.25  # share of the steps, at the end, that see the stimulus as it is
# bytes of the largest array of a pass on a CPU, for at least 4 images: what is larger leaves its cache (measured: 1.7
# times slower at 64 images of 64 x 64 than at 16)
_LARGEST = 3 << 20


@dataclass(frozen=True)
class Plan:
    """What is searched and how; see `cs.synthesize`. ``image_seed``: which restart each image is; ``sets``: images
    that shall differ; ``exemplars``: for each image an input to start from, or None.
    """

    units: Sequence[Unit]
    parameters: Parameters
    objective: Objective
    image_seed: Sequence[int]
    sets: list[list[int]]
    steps: int
    rate: float
    transforms: Transforms
    smooth: float
    diversity: float
    seed: Seed
    exemplars: np.ndarray | None
    device: str | None
    who: str
    precision: Any = None  # of the module, where it is not that of the search


@dataclass(frozen=True)
class Ascent:
    """inputs : (n, *shape) float32.   alive : (n,) whether a gradient was found.   start : (n,) where it was found.
    course : (n, points) of the objective at the steps ``at``.   boxes : along each axis of an input, for each image,
    what its units see; outside it is background.   jitter : along each place, for each image, how far it was moved.
    """

    inputs: np.ndarray
    alive: np.ndarray
    start: list[str]
    course: np.ndarray
    at: np.ndarray
    boxes: list[tuple[slice, ...]]
    jitter: list[tuple[int, ...]]


class _Climb:
    """Objective and gradient of images with respect to their parameters, in batches that fit in memory."""

    def __init__(self, plan: Plan, read: Callable[[Any], Any], each: int) -> None:
        self.plan, self.read, self.each = plan, read, each
        self.window: Any = None  # (n, *shape), of all images of the plan
        self.norm: Any = None
        self.jitter: list[tuple[int, ...]] = []  # of each image of the plan

    def inputs(self, z: Any, rows: Any) -> Any:
        """Stimuli of images ``rows``, within what their units see."""
        if self.window is None:
            return self.plan.parameters.inputs(z)
        return self.plan.parameters.inputs(z, self.window[rows], self.norm[rows])

    def slopes(self, x: Any, rows: Any, rng: np.random.Generator | None) -> tuple[Any, Any]:
        """(n,) objective of inputs x and its gradient."""
        import torch

        plan = self.plan
        slope = torch.empty_like(x)
        value = x.new_empty(len(x))
        state: Any = None if rng is None else rng.bit_generator.state
        for start in range(0, len(x), self.each):
            part = slice(start, start + self.each)
            leaf = x[part].detach().requires_grad_()
            moved = leaf
            if rng is not None:
                # the same move for all images of a step, whatever the batches
                rng.bit_generator.state = state
                moved = plan.transforms(leaf, rng, [self.jitter[int(i)] for i in rows[part]])
            score = plan.objective.rows(rows[part])(self.read(moved.to(plan.precision)).to(leaf.dtype))
            if score.requires_grad:
                (slope[part],) = torch.autograd.grad(
                    score.sum(), leaf, allow_unused=True, materialize_grads=True
                )
            else:  # a layer that does not depend on the input
                slope[part] = 0
            value[part] = score.detach()
        return value, slope

    def __call__(
        self, z: Any, rows: Any, rng: np.random.Generator | None, sets: list[list[int]]
    ) -> tuple[Any, Any]:
        """(n,) objective and the gradient of z, 0 where it is not finite."""
        import torch

        plan, space = self.plan, self.plan.parameters.space
        z = z.detach().requires_grad_()
        x = self.inputs(z, rows)
        value, slope = self.slopes(x, rows, rng)
        dull = ~(slope.flatten(1).abs().sum(dim=1) > 0)
        if plan.smooth or (plan.diversity and sets):
            leaf = x.detach().requires_grad_()
            away = leaf - plan.parameters.background
            cost = plan.smooth * total_variation(away, space.places)
            if plan.diversity:
                cost = cost + plan.diversity * spread_penalty(away, sets)
            (extra,) = torch.autograd.grad(cost.sum(), leaf)
            slope = slope - extra
            value = value - cost.detach()
        (gradient,) = torch.autograd.grad(x, z, slope)
        flat = gradient.flatten(1)
        length = flat.norm(dim=1)
        odd = ~torch.isfinite(length) | dull
        scale = torch.where(odd | (length == 0), torch.zeros_like(length), math.sqrt(flat.shape[1]) / length)
        gradient = torch.nan_to_num(gradient, 0.0, 0.0, 0.0) * scale.reshape(-1, *(1,) * (gradient.ndim - 1))
        return value, gradient


def ascend(plan: Plan) -> Ascent:
    """Makes the objective of each image large by Adam (Kingma & Ba 2015) on its parameters, its step falling to 0 as
    half a cosine. Every image's gradient is brought to one length, so that images in a batch do not know of each other.
    """
    import torch

    n, parameters = len(plan.image_seed), plan.parameters
    like = parameters.background
    example = torch.zeros((2, *parameters.space.shape), dtype=like.dtype, device=like.device) + like
    example = example.to(plan.precision)
    before = _versions(plan.units[0])
    with reading(plan.units, example, device=plan.device, who=plan.who) as read:
        climb = _Climb(plan, read, _batch(plan, n))
        climb.jitter = [
            plan.transforms.jitter_of([slice(0, size) for size in plan.parameters.space.shape])
        ] * n
        boxes = _look_through(plan, climb)
        z, alive, start = _start(plan, climb)
        live = torch.tensor(np.flatnonzero(alive), device=like.device)
        course = np.full((n, 0), math.nan)
        at = _points(plan.steps)
        if len(live):
            place = {int(i): k for k, i in enumerate(live.tolist())}
            sets = [[place[i] for i in members if i in place] for members in plan.sets]
            z_live, found = _adam(plan, climb, z[live], live, sets, at)
            z[live] = z_live
            course = np.full((n, len(at)), math.nan)
            course[alive] = found
        with torch.no_grad():
            inputs = climb.inputs(z, torch.arange(n, device=like.device)).cpu().numpy().astype(np.float32)
    if _versions(plan.units[0]) != before:
        raise InputError(
            f"{plan.who}: the forward pass of {plan.units[0].network.name} changed its parameters or buffers in eval "
            "mode, so activations depend on what was shown before; make it keep its state.",
            code="module-changed",
        )
    return Ascent(inputs, alive, start, course, at, boxes, climb.jitter)


def _look_through(plan: Plan, climb: _Climb) -> list[tuple[slice, ...]]:
    """Sets the window of each image to the box that its objective depends on (with gradients through rectifiers that
    are off) and the way it is moved, so that no contrast is spent where nothing sees it.
    """
    import torch

    from consilience.networks._through_relu import ThroughReLU

    parameters, space, n = plan.parameters, plan.parameters.space, len(plan.image_seed)
    whole = tuple(slice(0, size) for size in space.shape)
    if space.channel_axis is None or not space.places:
        return [whole] * n
    like = parameters.background
    rows = torch.arange(n, device=like.device)
    seen = torch.zeros((n, *space.shape), dtype=torch.bool, device=like.device)
    for draw in range(_LOOKS):
        z = torch.as_tensor(
            parameters.draw(plan.seed.stream(f"look:{draw}")), dtype=like.dtype, device=like.device
        )
        x = parameters.inputs(z).detach().expand(n, *space.shape)
        with ThroughReLU():
            _, slope = climb.slopes(x, rows, None)
        size = slope.abs()
        most = size.flatten(1).amax(dim=1).reshape(-1, *(1,) * len(space.shape))
        seen |= torch.isfinite(size) & (size > 1e-6 * most)
    found = [_box(one, space.places, (0,) * len(space.places), whole) for one in seen.cpu().numpy()]
    climb.jitter = [plan.transforms.jitter_of(box) for box in found]
    if plan.transforms.auto and any(map(any, climb.jitter)):
        still = (0,) * len(space.places)
        climb.jitter = [still if flat else one for flat, one in zip(_linear(plan, climb), climb.jitter)]
    boxes = [_box(one, space.places, jitter, whole) for one, jitter in zip(seen.cpu().numpy(), climb.jitter)]
    if all(box == whole for box in boxes):
        return boxes
    climb.window = torch.zeros((n, *space.shape), dtype=like.dtype, device=like.device)
    for i, box in enumerate(boxes):
        climb.window[(i, *box)] = 1
    if space.norm_from != "given":  # the same contrast on a smaller place
        share = climb.window.flatten(1).mean(dim=1).sqrt()
    else:
        share = torch.ones(n, dtype=like.dtype, device=like.device)
    climb.norm = space.norm * share
    return boxes


def _linear(plan: Plan, climb: _Climb) -> list[bool]:
    """Whether each objective has one gradient everywhere: moves then only blur it."""
    import torch

    parameters, n = plan.parameters, len(plan.image_seed)
    like = parameters.background
    rows, slopes = torch.arange(n, device=like.device), []
    for draw in range(2):
        z = parameters.draw(plan.seed.stream(f"look:{draw}"))
        x = parameters.inputs(torch.as_tensor(z, dtype=like.dtype, device=like.device)).detach()
        slopes.append(climb.slopes(x.expand(n, *parameters.space.shape), rows, None)[1].flatten(1))
    size = slopes[0].norm(dim=1)
    return [bool(flat) for flat in (size > 0) & ((slopes[1] - slopes[0]).norm(dim=1) < 1e-3 * size)]


def _box(
    seen: np.ndarray, places: Sequence[int], margins: Sequence[int], whole: tuple[slice, ...]
) -> tuple[slice, ...]:
    out = list(whole)
    for axis, margin in zip(places, margins):
        size = seen.shape[axis]
        along = np.flatnonzero(seen.any(axis=tuple(i for i in range(seen.ndim) if i != axis)))
        if along.size:
            out[axis] = slice(max(0, int(along[0]) - margin), min(size, int(along[-1]) + 1 + margin))
    return tuple(out)


def _points(steps: int) -> np.ndarray:
    return np.unique(np.linspace(0, steps - 1, min(steps, 41)).astype(int))


def _adam(
    plan: Plan, climb: _Climb, z: Any, rows: Any, sets: list[list[int]], at: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Two climbs, each with a step that falls to 0: with moves, then, for the last quarter, on the stimulus as it is;
    one where nothing moves. The best of the last steps is kept.
    """
    import torch

    n = len(z)
    z = z.clone()
    moved = plan.transforms.any or any(map(any, climb.jitter))
    plain = plan.steps - max(1, math.ceil(_PLAIN * plan.steps)) if moved else 0  # the first of the last steps
    moves = plan.seed.stream("moves")
    course = np.full((n, len(at)), math.nan)
    points = {int(step): k for k, step in enumerate(at)}
    best, height = z.detach().clone(), torch.full((n,), -math.inf, dtype=z.dtype, device=z.device)
    last = max(plain, plan.steps - max(1, plan.steps // 10))

    def keep(value: Any) -> None:
        better = value > height
        height[better] = value[better].to(height.dtype)
        best[better] = z.detach()[better]

    for first, end in ((0, plain), (plain, plan.steps)):
        optimiser = torch.optim.Adam([z], lr=plan.rate)
        for step in range(first, end):
            part = (step - first) / (end - first)
            optimiser.param_groups[0]["lr"] = plan.rate * (0.5 + 0.5 * math.cos(math.pi * part)) + 1e-4
            # the first value is that of the start as it is
            value, gradient = climb(z, rows, moves if 0 < step < plain else None, sets)
            if step >= last:
                keep(value.detach())
            if step in points:
                course[:, points[step]] = value.detach().cpu().numpy()
            z.grad = -gradient
            optimiser.step()
    value, _ = climb(z, rows, None, sets)
    keep(value.detach())
    course[:, -1] = height.cpu().numpy()
    return best, course


def _start(plan: Plan, climb: _Climb) -> tuple[Any, np.ndarray, list[str]]:
    """Parameters with a gradient for each image: other noise, then a way through rectifiers that are off, then the
    best natural stimulus.
    """
    import torch

    from consilience.networks._through_relu import ThroughReLU

    like, n = plan.parameters.background, len(plan.image_seed)

    def tensor(values: Any) -> Any:
        return torch.as_tensor(values, dtype=like.dtype, device=like.device)

    def draw(images: np.ndarray, attempt: int) -> Any:
        named = [f"start:{plan.image_seed[i]}:{attempt}" for i in images]
        made = {name: plan.parameters.draw(plan.seed.stream(name)) for name in dict.fromkeys(named)}
        return tensor(np.concatenate([made[name] for name in named]))

    def lively(z: Any, images: np.ndarray) -> np.ndarray:
        _, gradient = climb(z, torch.as_tensor(images, device=like.device), None, [])
        return np.asarray((gradient.flatten(1).abs().sum(dim=1) > 0).cpu().numpy())

    every = np.arange(n)
    z = draw(every, 0)
    alive = lively(z, every)
    start = ["noise"] * n
    for attempt in range(1, _DRAWS + 1):
        left = np.flatnonzero(~alive)
        if not left.size:
            break
        z[left] = fresh = draw(left, attempt)
        alive[left] = lively(fresh, left)
        for i in left:
            start[i] = f"noise {attempt + 1}"
    left = np.flatnonzero(~alive)
    if left.size:
        rows = torch.as_tensor(left, device=like.device)
        leaky: contextlib.AbstractContextManager[Any] = ThroughReLU()
        moved = z[left].clone()
        optimiser = torch.optim.Adam([moved], lr=plan.rate)
        for _ in range(_WARM):
            with leaky:
                _, gradient = climb(moved, rows, None, [])
            moved.grad = -gradient
            optimiser.step()
        moved = moved.detach()
        ok = lively(moved, left)
        z[left[ok]], alive[left[ok]] = moved[ok], True
        for i in left[ok]:
            start[i] = "before the rectifier"
    left = np.flatnonzero(~alive)
    if left.size and plan.exemplars is not None:
        moved = plan.parameters.of_inputs(tensor(plan.exemplars[left]))
        ok = lively(moved, left)
        z[left[ok]], alive[left[ok]] = moved[ok], True
        for i in left[ok]:
            start[i] = "natural"
    for i in np.flatnonzero(~alive):
        start[i] = "dead"
    return z, alive, start


def _batch(plan: Plan, n: int) -> int:
    """Images per pass, so that what gradients keep takes a quarter of the free memory, 2 GB at most."""
    spots = plan.units[0].network._spots
    kept = sum(math.prod(sizes) for sizes in spots[1].one.values()) if spots is not None else 0
    budget = min((available_memory() or 8 << 30) // 4, 2 << 30)
    most = max(1, budget // max(1, 8 * kept))
    if plan.parameters.background.device.type == "cpu":
        largest = spots[1].largest if spots is not None else 0
        most = min(most, max(4, _LARGEST // max(1, largest)))
    return int(min(n, most))


def _versions(unit: Unit) -> list[tuple[int, int]]:
    module = unit.network.module
    return [(t.data_ptr(), t._version) for t in (*module.parameters(), *module.buffers())]
