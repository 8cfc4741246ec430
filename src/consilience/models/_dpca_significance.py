"""Do demixed components tell their labels? Held-out trials against labels shuffled across trials within units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from consilience._core._seeds import Seed
from consilience.linalg._demixed import Demixer, Marginals
from consilience.models._dpca_cv import regression_noise
from consilience.models._dpca_data import Crossed
from consilience.stats import p_value

__all__ = ["Significance", "label_significance", "shuffled_codes"]


@dataclass(frozen=True)
class Significance:
    """Decoding of labels from single components, on held-out trials.

    p-values are of the accuracy, ties of which (all right, in a few splits of two classes) go to the larger margin.

    marginalization : (m,) of each component that has labels (time alone has none).   component : (m,) its place there.
    accuracy : (m, times) balanced.   chance : (m,) 1 / classes.   null_mean, null_high : (m, times) mean and 95 %
    quantile of the shuffles.   p_time : (m, times) of each time by itself.   p_corrected : (m, times) against the
    largest of all times and components of the marginalization of a shuffle (family-wise).   p : (m,) of a component by
    itself, its best time against the best of each shuffle.   p_marginalization : {name: p} the best component and time
    against the best of each shuffle.
    n_shuffles, n_splits : how many.
    """

    marginalization: np.ndarray
    component: np.ndarray
    accuracy: np.ndarray
    chance: np.ndarray
    null_mean: np.ndarray
    null_high: np.ndarray
    p_time: np.ndarray
    p_corrected: np.ndarray
    p: np.ndarray
    p_marginalization: dict[str, float]
    n_shuffles: int
    n_splits: int


@dataclass(frozen=True)
class _Found:
    accuracy: np.ndarray
    null: np.ndarray
    p_time: np.ndarray
    p_corrected: np.ndarray
    p: np.ndarray
    chance: float


def shuffled_codes(
    codes: np.ndarray, shape: tuple[int, ...], kept: Sequence[int], rng: np.random.Generator
) -> np.ndarray:
    """(trials,) conditions that change places across trials which agree in the labels ``kept`` (axes of ``shape``)."""
    at = np.unravel_index(codes, shape)
    strata = np.zeros(len(codes), np.int64)
    for axis in kept:
        strata = strata * shape[axis] + at[axis]
    order = np.argsort(strata + rng.random(len(codes)))  # within strata at random
    place = np.argsort(strata, kind="stable")
    out = np.empty_like(codes)
    out[place] = codes[order]
    return out


class _Labelling:
    """Accuracy of the components of one part under any labelling of the trials."""

    def __init__(
        self,
        data: Crossed,
        marginals: Marginals,
        k: int,
        count: int,
        penalty: float,
        noise: str,
        splits: int,
        seed: Seed,
    ) -> None:
        self.data, self.marginals, self.k, self.count = data, marginals, k, count
        self.penalty, self.noise, self.splits = penalty, noise, splits
        axes = len(data.shape)
        sets = {frozenset(a for a in term if a < axes) for term in marginals.parts[k].terms}
        self.union = tuple(sorted(frozenset().union(*sets)))
        self.rest = tuple(a for a in range(axes) if a not in self.union)
        self.sets, self.seed = sets, seed
        self.classes = int(np.prod([data.shape[a] for a in self.union]))
        self.shape = (*data.shape, data.times, data.units) if marginals.time else (*data.shape, data.units)
        means = data.means()
        if len(self.union) > 1:  # what the model without this part says; the rest changes places
            own = marginals.part(means.reshape(self.shape), k).reshape(means.shape)
            self.fixed = means - own
        else:
            self.fixed = np.zeros_like(means)
        self.values, self.scatter, start = [], [], 0
        for block in data.blocks:
            stop = start + block.values.shape[2]
            values = block.values - self.fixed[block.codes, :, start:stop]
            if block.seen is not None:
                values *= block.seen
            self.values.append(values)
            flat = values.reshape(-1, values.shape[2])
            self.scatter.append(flat.T @ flat if noise != "none" else None)
            start = stop

    def shuffle(self, rng: np.random.Generator) -> list[np.ndarray]:
        kept = self.rest if len(self.union) == 1 else ()
        return [shuffled_codes(b.codes, self.data.shape, kept, rng) for b in self.data.blocks]

    def accuracy(self, codes: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """(2, count, times) accuracy, and the same with ties broken by the margin, for conditions ``codes`` of each
        block's trials.
        """
        data = self.data
        size, sums, many = data.size, [], []
        noise = np.zeros((data.units,) * 2)
        start = 0
        for b, (block, values) in enumerate(zip(data.blocks, self.values)):
            at = slice(start, start + values.shape[2])
            start = at.stop
            sums.append(block.sums(codes[b], size, values))
            many.append(block.counts(codes[b], size))
            if self.noise != "none":
                own = (sums[b] / np.sqrt(np.maximum(many[b], 1))).reshape(-1, values.shape[2])
                whole = np.broadcast_to(np.maximum(many[b] - 1, 0), sums[b].shape).sum()
                degrees = whole / values.shape[2]
                noise[at, at] = (self.scatter[b] - own.T @ own) / max(float(degrees), 1e-12)
        between = regression_noise(noise, self.noise, size * data.times)
        total = np.zeros((2, self.count, data.times))
        relabelled = Crossed(
            tuple(type(b)(b.values, b.seen, c) for b, c in zip(data.blocks, codes)), data.levels
        )
        for held in relabelled.deal(self.splits, 1, rng):
            total += self._one(held, sums, many, between)
        total /= self.splits
        total[1] = total[0] + total[1] / (4 * self.classes * self.splits)  # below one step of accuracy
        return total

    def _one(self, held: list, sums: list, many: list, between: np.ndarray | None) -> np.ndarray:
        train_parts, test_parts, start = [], [], 0
        for b, (block, values) in enumerate(zip(self.data.blocks, self.values)):
            at = slice(start, start + values.shape[2])
            start = at.stop
            rows = held[b][:, 0]
            test = values[rows]
            if block.seen is None:
                train = (sums[b] - test) / (many[b] - 1)
            else:
                seen = block.seen[rows]
                left = many[b] - seen
                train = (sums[b] - test) / np.maximum(left, 1)
                over = train.mean(axis=0)
                train = np.where(left > 0, train, over)
                test = np.where(seen, test, over)
            train_parts.append(train + self.fixed[:, :, at])
            test_parts.append(test + self.fixed[:, :, at])
        train = np.concatenate(train_parts, axis=2)
        test = np.concatenate(test_parts, axis=2)
        mean = train.mean(axis=(0, 1))
        train -= mean
        test -= mean
        table = train.reshape(self.shape)
        factor = self.marginals.factor(table, self.k)
        flat = train.reshape(-1, train.shape[-1])
        demixer = Demixer([factor], between, total=flat)
        _, d = demixer.axes(0, self.penalty * demixer.size, self.count)
        return self._classified(train @ d, test @ d)

    def _classified(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """(2, count, times) share of classes of the test table whose nearest training mean is their own, and the mean
        margin: (distance to the nearest other mean - to their own) / (distance of the two means), in [-1, 1].
        """
        pair = []
        for z in (train, test):
            z = z.reshape(*self.data.shape, *z.shape[1:])
            if self.rest:
                z = z.mean(axis=self.rest, keepdims=True)
            if len(self.union) > 1:  # effects of fewer labels are not this part's
                z = self._deviations(z)
            times, count = z.shape[-2:]
            pair.append(np.moveaxis(z.reshape(-1, times, count), 0, -1))  # (times, count, classes)
        train, test = pair
        away = np.abs(test[..., :, None] - train[..., None, :])  # (times, count, classes of test, of train)
        classes = away.shape[-1]
        own = np.eye(classes, dtype=bool)
        hit = (away.argmin(axis=-1) == np.arange(classes)).mean(axis=-1)
        between = np.abs(train[..., :, None] - train[..., None, :])
        with np.errstate(invalid="ignore", divide="ignore"):
            margin = (away - away[..., own][..., None]) / between
        margin = np.where(own | ~(between > 0), 1.0, margin).min(axis=-1).mean(axis=-1)
        return np.stack([hit.T, margin.T])

    def _deviations(self, z: np.ndarray) -> np.ndarray:
        out = np.zeros_like(z)
        for term in self.sets:
            part = z
            for axis in self.union:
                mean = part.mean(axis=axis, keepdims=True)
                part = part - mean if axis in term else np.broadcast_to(mean, part.shape)
            out += part
        return out


def label_significance(
    data: Crossed,
    marginals: Marginals,
    counts: Sequence[int],
    penalty: float,
    *,
    shuffles: int,
    splits: int,
    noise: str,
    seed: Seed,
) -> Significance:
    """Of every part with labels. ``penalty``: relative, as chosen."""
    axes = len(data.shape)
    names: list[str] = []
    places: list[int] = []
    found: list[_Found] = []
    families: dict[str, float] = {}
    for k, (part, count) in enumerate(zip(marginals.parts, counts)):
        if not count or not any(a < axes for term in part.terms for a in term):
            continue
        own = seed.child(part.name)
        test = _Labelling(data, marginals, k, count, penalty, noise, splits, own)
        value = test.accuracy([b.codes for b in data.blocks], own.stream("data"))
        draws, rng = [], own.stream("shuffles")
        for _ in range(shuffles):
            draws.append(test.accuracy(test.shuffle(rng), rng))
        null = np.stack(draws)
        names += [part.name] * count
        places += range(count)
        score, drawn = value[1], null[:, 1]
        top = drawn.max(axis=(1, 2))
        families[part.name] = float(p_value(score.max(), top))
        found.append(
            _Found(
                value[0],
                null[:, 0],
                p_time=p_value(score, drawn),
                p_corrected=p_value(score, np.broadcast_to(top[:, None, None], drawn.shape)),
                p=p_value(score.max(axis=1), drawn.max(axis=2)),
                chance=1 / test.classes,
            )
        )
    null = np.concatenate([f.null for f in found], axis=1)
    return Significance(
        marginalization=np.array(names),
        component=np.array(places),
        accuracy=np.concatenate([f.accuracy for f in found]),
        chance=np.concatenate([np.full(len(f.p), f.chance) for f in found]),
        null_mean=null.mean(axis=0),
        null_high=np.quantile(null, 0.95, axis=0),
        p_time=np.concatenate([f.p_time for f in found]),
        p_corrected=np.concatenate([f.p_corrected for f in found]),
        p=np.concatenate([f.p for f in found]),
        p_marginalization=families,
        n_shuffles=shuffles,
        n_splits=splits,
    )
