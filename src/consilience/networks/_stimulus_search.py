"""`StimulusSearch`: preferred stimuli without gradients, one batch of presentations after the other, for a live neuron
or any black box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, collect_cautions
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._results import Synthesis
from consilience._stimuli import check_stimuli
from consilience.linalg import CMA
from consilience.networks._fourier_basis import fourier_basis
from consilience.networks._input_space import InputSpace, learn_space

__all__ = ["StimulusSearch"]

WHO = "cs.networks.StimulusSearch"
_WINDOW = 12  # generations, at least, whose mean is compared with that of as many before


class StimulusSearch:
    """Evolves stimuli by what they evoke: ask for a batch, show it, tell the responses, until it is done.

    Stimuli are x = b + norm * u / |u|, u = sum_k z_k w_k B_k over the ``n_components`` lowest Fourier functions B_k of
    each channel, w_k = 1 / f; z evolves by separable CMA-ES (`cs.linalg.CMA`; Ros & Hansen 2008), to which only
    the order of responses matters. The search ends when what the mean response of the last quarter of the generations
    gained on the quarter before is surely (upper bound, 95 %) below ``tolerance`` of the response, or when the budget
    is spent.

    What it reports was not chosen on itself: after the search the stimulus at the middle of the last distribution,
    which no response singled out, is shown ``n_test`` times among ``n_null`` stimuli of its spectrum with random
    phases, in random order; value, interval and p are of these presentations.

    Parameters
    ----------
    shape, norm, bounds, channel_axis, like : of stimuli, see `cs.synthesize`.
    n_components : Fourier functions per channel (or, without places in order, the values themselves).
    batch_size : stimuli per generation. Default: 1.5 times the number of parameters, at most 128 and a 20th of the
        budget.
    repeats : presentations of each stimulus in a batch.   budget : presentations of the search.
    tolerance : gain, as a fraction of the response, below which it ends.   n_test, n_null : presentations of the test.
    space : instead of shape to like, a space that is known (`cs.synthesize` hands that of a network).
    rng : seed.

    Raises
    ------
    InputError : responses of another number, NaN or infinite; asked twice without being told; a budget below 2 batches.

    References
    ----------
    Hansen & Ostermeier (2001); Ros & Hansen (2008); Ponce et al. (2019).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> y, x = np.mgrid[-8:8, -8:8]
    >>> field = np.exp(-(x**2 + y**2) / 16) * np.cos(x)
    >>> neuron = lambda shown: rng.poisson(np.log1p(np.exp((shown[:, 0] * field).sum((1, 2)) / 2)))
    >>> search = cs.networks.StimulusSearch(shape=(1, 16, 16), norm=8.0, n_components=48, rng=0)
    >>> while not search.done:
    ...     search.tell(neuron(search.ask().values))
    >>> made = search.result().best.values[0, 0]
    >>> bool((made * field).sum() / np.linalg.norm(made) / np.linalg.norm(field) > 0.8)
    True
    """

    def __init__(
        self,
        *,
        shape: int | Sequence[int] | None = None,
        norm: float | None = None,
        bounds: tuple[Any, Any] | None = None,
        channel_axis: int | None = 0,
        like: xr.DataArray | Any = None,
        n_components: int = 64,
        batch_size: int | None = None,
        repeats: int = 1,
        budget: int = 3000,
        tolerance: float = 0.05,
        n_test: int = 20,
        n_null: int = 39,
        space: InputSpace | None = None,
        rng: int | str | np.random.Generator | np.random.SeedSequence | Seed | None = 0,
    ) -> None:
        with collect_cautions() as said:
            if space is None:
                shown = None if like is None else check_stimuli(like, who=WHO)
                space, _ = learn_space(None, shown, shape, bounds, norm, channel_axis, who=WHO)
        self._said = list(said)
        self.space = space
        self.seed = resolve_seed(rng, who=WHO)
        self.repeats = check_count(repeats, name="repeats", who=WHO, minimum=1)
        self.budget = check_count(budget, name="budget", who=WHO, minimum=1)
        self.tolerance = check_number(tolerance, name="tolerance", who=WHO, low=0, high=math.inf, closed=True)
        self.n_test = check_count(n_test, name="n_test", who=WHO, minimum=2)
        self.n_null = check_count(n_null, name="n_null", who=WHO)
        n_components = check_count(n_components, name="n_components", who=WHO, minimum=1)
        self.ordered = space.channel_axis is not None
        self._basis = (
            fourier_basis([space.shape[i] for i in space.places], n_components) if self.ordered else None
        )
        d = math.prod(space.shape)
        if self._basis is not None:
            d = len(self._basis) * (1 if space.channel_axis is None else space.shape[space.channel_axis])
        self._draws = self.seed.stream("search")
        if batch_size is None:  # large generations average the noise; many are needed all the same
            batch_size = max(8, min(3 * d // 2, 128, self.budget // (20 * self.repeats)))
        self._cma = CMA(np.zeros(d), step=1.0, n_points=batch_size, diagonal=True)
        if self.budget < 2 * self._cma.n_points * self.repeats:
            raise InputError(
                f"{WHO}: a budget of {self.budget} presentations is less than two generations of "
                f"{self._cma.n_points} stimuli x {self.repeats} repeats; give more, or a smaller batch_size.",
                code="bad-parameter",
            )
        self._points: np.ndarray | None = None
        self._test: np.ndarray | None = None
        self._asked = False
        self.stopped = ""
        self.n_presented = 0
        self.course: list[float] = []
        self._values: np.ndarray | None = None

    # -- the loop

    @property
    def done(self) -> bool:
        """Whether the search is over and its test was told."""
        return self._values is not None

    def ask(self) -> xr.DataArray:
        """Stimuli (n, *shape) to show next, each row one presentation: a generation, or at the end the test."""
        if self.done:
            raise InputError(f"{WHO}: the search is done; see .result().", code="search-order")
        if self._asked:
            raise InputError(
                f"{WHO}: tell the responses to the batch that was asked for first.", code="search-order"
            )
        self._asked = True
        if self.stopped:
            return self._labelled(self._test_block(), "test")
        self._points = self._cma.ask(self._draws)
        made = np.repeat(self._stimuli(self._points), self.repeats, axis=0)
        return self._labelled(made, f"generation {len(self.course)}")

    def tell(self, responses: Any) -> None:
        """Responses (n,) to the batch asked for last, in its order."""
        values = np.asarray(to_numpy(responses), dtype=np.float64)
        n = self._cma.n_points * self.repeats if not self.stopped else self.n_test + self.n_null
        if not self._asked:
            raise InputError(f"{WHO}: ask for a batch first.", code="search-order")
        if values.shape != (n,):
            raise InputError(
                f"{WHO}: {n} responses are needed, one per presentation, got shape {values.shape}.",
                code="bad-shape",
            )
        if not np.isfinite(values).all():
            raise InputError(
                f"{WHO}: {int((~np.isfinite(values)).sum())} of {n} responses are NaN or infinite; show the batch "
                "again and tell it then.",
                code="nan-values",
            )
        self._asked = False
        if self.stopped:
            self._values = values
            return
        assert self._points is not None
        self.n_presented += n
        self._cma.tell(self._points, values.reshape(-1, self.repeats).mean(axis=1))
        self.course.append(float(values.mean()))
        if self.n_presented + n > self.budget:
            self.stopped = "budget"
        elif self._flat():
            self.stopped = "no gain"

    def stop(self) -> None:
        """Ends the search; the test comes next."""
        self.stopped = self.stopped or "asked to"
        self._asked = False

    def _flat(self) -> bool:
        """Whether the gain of the last quarter of the generations on the quarter before is surely too small."""
        window = max(_WINDOW, len(self.course) // 4)
        if len(self.course) < 2 * window:
            return False
        now, then = np.array(self.course[-window:]), np.array(self.course[-2 * window : -window])
        gain = now.mean() - then.mean()
        se = math.sqrt((now.var(ddof=1) + then.var(ddof=1)) / window)
        high = gain + stdtrit(2 * window - 2, 0.95) * se
        return bool(high < self.tolerance * abs(now.mean()))

    # -- stimuli

    def _stimuli(self, points: np.ndarray) -> np.ndarray:
        space = self.space
        if self._basis is None:
            return space.fit(space.background + points.reshape(len(points), *space.shape))
        axis = space.channel_axis
        channels = 1 if axis is None else space.shape[axis]
        maps = points.reshape(len(points), channels, -1) @ self._basis.reshape(len(self._basis), -1)
        if space.colours is not None:
            maps = np.einsum("cd,ndp->ncp", space.colours, maps)
        maps = maps.reshape(len(points), channels, *(space.shape[i] for i in space.places))
        return space.fit(space.background + np.moveaxis(maps, 1, (axis or 0) + 1))

    @property
    def current(self) -> np.ndarray:
        """(*shape) the stimulus at the middle of the present distribution."""
        return np.asarray(self._stimuli(self._cma.mean[None])[0])

    def _test_block(self) -> np.ndarray:
        rng = self.seed.stream("test")
        if self._test is None:
            null = self.space.scrambled(self.current, rng, self.n_null, ordered=self.ordered)
            self._order = rng.permutation(self.n_test + self.n_null)
            self._test = np.concatenate([np.repeat(self.current[None], self.n_test, axis=0), null])[
                self._order
            ]
        return self._test

    def _labelled(self, made: np.ndarray, words: str) -> xr.DataArray:
        ids = [f"{words} stimulus {i}" for i in range(len(made))]
        return self.space.stimuli(made, ids)

    # -- the answer

    def result(self, *, system: str = "neuron", target: str = "neuron") -> Synthesis:
        """The stimulus with its value, interval over presentations, and p, as `cs.synthesize` returns."""
        if not self.done:
            raise InputError(
                f"{WHO}: the search is not done; go on with ask() and tell(), or stop() and then the test.",
                code="search-order",
            )
        assert self._values is not None
        values = np.empty_like(self._values)
        values[self._order] = self._values
        mine, null = values[: self.n_test], values[self.n_test :]
        value, half = (
            float(mine.mean()),
            float(stdtrit(self.n_test - 1, 0.975) * mine.std(ddof=1) / math.sqrt(self.n_test)),
        )
        blank = {
            name: ("target", [np.nan])
            for name in (
                "natural_best",
                "natural_same_norm",
                "percentile",
                "agreement",
                "agreement_shifted",
                "agreement_null",
                "after_shift",
                "after_noise",
                "late_gain",
                "check",
                "check_natural",
                "check_p",
            )
        }
        best = self.current
        at = (best <= self.space.low) | (best >= self.space.high)
        norm = float(np.linalg.norm(best - self.space.background))
        course = np.array(self.course)
        data = xr.Dataset(
            {
                "value": ("target", [value]),
                "ci_low": ("target", [value - half]),
                "ci_high": ("target", [value + half]),
                "null_mean": ("target", [null.mean() if null.size else np.nan]),
                "null_sd": ("target", [null.std(ddof=1) if null.size > 1 else np.nan]),
                "p": ("target", [(1 + (null >= value).sum()) / (1 + null.size) if null.size else np.nan]),
                **blank,
                "best_seed": ("target", [0]),
                "each_value": (("target", "seed"), [[value]]),
                "alive": (("target", "seed"), [[True]]),
                "start": (("target", "seed"), [["noise"]]),
                "norm": (("target", "seed"), [[norm]]),
                "saturated": (("target", "seed"), [[float(at.mean())]]),
                "responses": (("target", "unit"), [[value]]),
                "course": (("target", "seed", "step"), course[None, None]),
                "test": ("presentation", mine),
            },
            coords={"target": [target], "seed": [0], "unit": [target], "step": np.arange(len(course))},
        )
        made = self.space.stimuli(best[None], [f"{target} seed 0"])
        return Synthesis(
            data=data,
            stimuli=made.assign_coords(target=("stimulus", [target]), seed=("stimulus", [0])),
            settings={
                "verb": "synthesize",
                "method": "evolution",
                "system": system,
                "pattern": "each",
                "presentations": self.n_presented,
                "stopped": self.stopped,
                "n_test": self.n_test,
                "n_null": self.n_null,
                "repeats": self.repeats,
                "n_parameters": int(self._cma.mean.size),
                "batch_size": self._cma.n_points,
                "tolerance": self.tolerance,
                "shape": list(self.space.shape),
                "norm": self.space.norm,
                "norm_from": self.space.norm_from,
                "bounded": self.space.bounded,
                "parameterization": "fourier" if self.ordered else "pixel",
                "n_natural": 0,
                "check": None,
                "pixels": True,
            },
            seed=str(self.seed),
            warnings=tuple(self._said),
            references=("hansen2001completely", "ros2008simple", "ponce2019evolving"),
            methods=(
                f"A stimulus was evolved in {self.n_presented} presentations (CMA-ES, {self._cma.mean.size} "
                f"parameters; ended: {self.stopped}).",
                f"It was then shown {self.n_test} times among {self.n_null} stimuli of its spectrum with random "
                "phases.",
            ),
        )

    def __repr__(self) -> str:
        state = "done" if self.done else f"test next ({self.stopped})" if self.stopped else "searching"
        last = f", last mean response {shorten(round(self.course[-1], 4))}" if self.course else ""
        return (
            f"StimulusSearch of {self.space.shape}: {state}, {len(self.course)} generations, {self.n_presented} "
            f"presentations{last}"
        )
