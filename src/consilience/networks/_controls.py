"""Controls: untrained and permuted copies of a network, with normalisation statistics recalibrated exactly
over all stimuli.
"""

from __future__ import annotations

import contextvars
import copy
import threading
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, collect_cautions, warn
from consilience._core._params import check_count, require
from consilience._stimuli import check_stimuli
from consilience.networks._forward import evaluation, run_block
from consilience.networks._network import Network, block_of
from consilience.networks._random import GLOBAL_GENERATOR

__all__ = ["permuted", "recalibrate", "untrained"]

# stimuli per forward pass, threads; set by the number of stimuli alone, never by a caller
_CHUNK, _MOST_CHUNKS = 8, 64


def untrained(net: Network, *, seed: int = 0, stimuli: xr.DataArray | None = None) -> Network:
    """See `Network.untrained`."""
    who = "Network.untrained"
    seed = check_count(seed, name="seed", who=who, maximum=2**63 - 1)
    fresh = _copy(net, f"untrained{seed}", who)
    torch = require("torch", extra="torch", purpose=who)
    module = fresh.module
    home = next((p.device for p in module.parameters()), torch.device("cpu"))
    module.cpu()
    left = _reinitialise(module, seed)
    if left:
        more = f" and {len(left) - 4} more" if len(left) > 4 else ""
        raise InputError(
            f"{who}: no reset_parameters() of {net.name} sets {', '.join(left[:4])}{more}, so their initial "
            "values are unknown; give the module that "
            "owns them a reset_parameters() method, or use Network.permuted.",
            code="no-initialisation",
        )
    module.to(home)
    return _recalibrated(fresh, stimuli, who)


def _reinitialise(module: Any, seed: int) -> list[str]:
    """Every layer's own initialisation, from ``seed``; returns the parameters that none sets.

    reset_parameters draws from torch's one global generator. Copies made in threads would take each other's
    numbers: a lock keeps ours apart, and the initialisation is repeated until two in a row agree, so that a
    stranger's draw in another thread cannot slip in.
    """
    torch = require("torch", extra="torch", purpose="Network.untrained")
    with GLOBAL_GENERATOR, torch.no_grad(), torch.random.fork_rng(devices=[]):
        before: list[Any] | None = None
        for _ in range(10):
            for parameter in module.parameters():
                if parameter.is_floating_point():
                    parameter.fill_(float("nan"))  # what still is NaN afterwards was set by nobody
            torch.manual_seed(seed)
            for child in _children_first(module):
                for reset in ("reset_parameters", "_reset_parameters"):
                    if callable(getattr(child, reset, None)):
                        getattr(child, reset)()
                        break
            now = [p.clone() for p in module.parameters()]
            if before is not None and all(
                bool(torch.equal(a.nan_to_num(), b.nan_to_num())) for a, b in zip(before, now)
            ):
                break
            before = now
        else:
            warn(
                "initialisation-disturbed",
                "Random numbers were drawn elsewhere in this process during every attempt to initialise the copy.",
                "Stop other threads that use torch's global generator, then make the copy again.",
            )
        return [
            name for name, p in module.named_parameters() if p.is_floating_point() and bool(p.isnan().any())
        ]


def permuted(net: Network, *, seed: int = 0, stimuli: xr.DataArray | None = None) -> Network:
    """See `Network.permuted`."""
    who = "Network.permuted"
    seed = check_count(seed, name="seed", who=who, maximum=2**63 - 1)
    fresh = _copy(net, f"permuted{seed}", who)
    torch = require("torch", extra="torch", purpose=who)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    with torch.no_grad():
        for parameter in fresh.module.parameters():
            order = torch.from_numpy(rng.permutation(parameter.numel())).to(parameter.device)
            parameter.copy_(parameter.reshape(-1)[order].reshape(parameter.shape))
    return _recalibrated(fresh, stimuli, who)


def _copy(net: Network, suffix: str, who: str) -> Network:
    if not net.is_module:
        raise InputError(
            f"{who}: {net.name} is a callable without weights; wrap the torch module itself.",
            code="not-a-module",
        )
    try:
        module = copy.deepcopy(net.module)
    except (TypeError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{who}: {net.name} cannot be copied ({error}); build a second module instead.", code="not-copied"
        ) from None
    module.eval()
    made = Network(
        module,
        net.preprocess,
        f"{net.name}_{suffix}",
        net.device,
        None if net.key is None else f"{net.key}:{suffix}",
    )
    made.references = net.references
    return made


def _children_first(module: Any) -> list[Any]:
    """Modules in the order in which constructors run: a parent's own initialisation has the last word on its
    children.
    """
    seen: set[int] = set()
    order: list[Any] = []

    def visit(child: Any) -> None:
        if id(child) not in seen:
            seen.add(id(child))
            for grandchild in child.children():
                visit(grandchild)
            order.append(child)

    visit(module)
    return order


def _recalibrated(net: Network, stimuli: xr.DataArray | None, who: str) -> Network:
    norms = _tracked(net.module)
    if stimuli is not None:
        data = check_stimuli(stimuli, who=who)
        if norms:
            with collect_cautions() as said:  # what each chunk says is said once
                recalibrate(net, data, who=who)
            for caution in said:
                warn(caution.code, caution.message, caution.remedy, stacklevel=4)
    elif norms:
        warn(
            "not-recalibrated",
            f"{net.name} has {len(norms)} normalisation layers, and no stimuli were given, so their "
            "statistics are not those of its new weights.",
            "Pass stimuli= so that they are recalibrated.",
            stacklevel=4,
        )
    return net


def _tracked(module: Any) -> dict[str, Any]:
    """Normalisation layers that keep running statistics, by name."""
    import torch

    base = torch.nn.modules.batchnorm._NormBase
    return {
        name: child
        for name, child in module.named_modules()
        if isinstance(child, base) and child.running_mean is not None
    }


def recalibrate(net: Network, stimuli: xr.DataArray, *, who: str) -> None:
    """Sets the running mean and (population) variance of each normalisation layer to those of its input over
    all stimuli.

    All chunks of stimuli go through the network in lockstep, each in a thread of its own, one running at a
    time. At each normalisation layer they wait until its statistics over all chunks are known (pooled in
    float64), so later layers see earlier ones recalibrated. That equals one pass of everything in one batch;
    memory holds one layer's activations for all stimuli.
    """
    run = _Lockstep(net, stimuli, who)
    with evaluation(net, None, who=who) as target:
        run.go(target)


class _Lockstep:
    def __init__(self, net: Network, stimuli: xr.DataArray, who: str) -> None:
        self.net, self.stimuli, self.who = net, stimuli, who
        # id order: the same sums, in the same order, however the stimuli were arranged
        order = np.argsort(stimuli["stimulus"].values, kind="stable")
        size = max(_CHUNK, -(-order.size // _MOST_CHUNKS))
        self.chunks = [order[start : start + size].tolist() for start in range(0, order.size, size)]
        self.norms = _tracked(net.module)
        self.names = {id(child): name for name, child in self.norms.items()}
        self.turn = threading.Lock()
        self.barrier = threading.Barrier(len(self.chunks), action=self._pool)
        self.at: list[tuple[Any, Any] | None] = [None] * len(self.chunks)
        self.errors: list[BaseException] = []
        self.done: set[int] = set()
        self.here = threading.local()

    def go(self, target: Any) -> None:
        handles = [child.register_forward_pre_hook(self._meet) for child in self.norms.values()]
        context = contextvars.copy_context()
        threads = [
            threading.Thread(
                target=contextvars.Context.run, args=(context.copy(), self._chunk, index, target), daemon=True
            )
            for index in range(len(self.chunks))
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            self.barrier.abort()
            raise
        finally:
            for handle in handles:
                handle.remove()
        if self.errors:
            raise self.errors[0]

    def _chunk(self, index: int, target: Any) -> None:
        import torch

        self.here.index = index
        kind = str(self.stimuli.attrs.get("kind", "array"))
        self.turn.acquire()
        try:
            with torch.no_grad():  # gradient mode belongs to the thread
                run_block(self.net, block_of(self.stimuli, self.chunks[index]), kind, target, who=self.who)
            self._wait(index, None)
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            if not isinstance(error.__cause__, threading.BrokenBarrierError):
                self.errors.append(error)
            self.barrier.abort()
        finally:
            self.turn.release()

    def _meet(self, module: Any, args: tuple[Any, ...]) -> None:
        """Runs before a normalisation layer: hands in this chunk's sums, waits for all, and goes on with the
        pooled statistics.
        """
        import torch

        x = args[0].detach()
        over = [axis for axis in range(x.ndim) if axis != 1]
        variance, mean = torch.var_mean(x.double(), dim=over, correction=0)
        self._wait(self.here.index, (module, (x.numel() // x.shape[1], mean, variance)))

    def _wait(self, index: int, entry: tuple[Any, Any] | None) -> None:
        self.at[index] = entry
        self.turn.release()
        try:
            self.barrier.wait()
        finally:
            self.turn.acquire()

    def _pool(self) -> None:
        import torch

        entries = [entry for entry in self.at if entry is not None]
        if not entries:
            return
        module = entries[0][0]
        name = self.names[id(module)]
        if len(entries) < len(self.at) or any(entry[0] is not module for entry in entries):
            self._refuse(f"the order of its normalisation layers depends on the stimuli (at {name!r})")
        if id(module) in self.done:
            self._refuse(
                f"the normalisation layer {name!r} is used more than once in a pass, and keeps one set of "
                "statistics"
            )
        self.done.add(id(module))
        counts = torch.tensor([part[0] for _, part in entries], dtype=torch.float64)
        weights = (counts / counts.sum()).to(entries[0][1][1].device)[:, None]
        means = torch.stack([part[1] for _, part in entries])
        mean = (weights * means).sum(0)
        variance = (weights * (torch.stack([part[2] for _, part in entries]) + (means - mean) ** 2)).sum(0)
        module.running_mean.copy_(mean)
        module.running_var.copy_(variance)

    def _refuse(self, what: str) -> None:
        error = InputError(
            f"{self.who}: the statistics of {self.net.name} cannot be recalibrated: {what}; pass "
            "stimuli=None.",
            code="not-recalibrated",
        )
        self.errors.append(error)
        raise error
