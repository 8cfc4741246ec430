"""Models of an RDM: planted weights, the published fits, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

import consilience as cs
from consilience.models import FixedRDM, InterpolateRDM, SelectRDM, WeightedRDM

METHODS = {"cosine": "cosine", "pearson": "corr", "whitened_cosine": "cosine_cov"}


def data(k: int = 4, n: int = 12, subjects: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    parts = np.stack([cs.measures.rdm(rng.normal(size=(n, 6)), distance="sqeuclidean") for _ in range(k)])
    weights = rng.random(k) * (rng.random(k) > 0.4)
    people = weights @ parts + 2 * rng.random((subjects, parts.shape[1]))
    return parts, people


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_fits_equal_rsatoolbox(method: str, seed: int) -> None:
    fitter = pytest.importorskip("rsatoolbox.model.fitter")
    model = pytest.importorskip("rsatoolbox.model")
    rdm = pytest.importorskip("rsatoolbox.rdm")
    parts, people = data(seed=seed)
    parts = parts / 1e3  # their active set stops at an absolute 2e-14, and never does for larger RDMs
    theirs, brain, name = model.ModelWeighted("w", rdm.RDMs(parts)), rdm.RDMs(people), METHODS[method]
    tolerance = 1e-6
    for nonnegative, fit in ((True, fitter.fit_regress_nn), (False, fitter.fit_regress)):
        ours = WeightedRDM(parts, method=method, nonnegative=nonnegative).fit(people).weights_
        assert np.abs(ours - fit(theirs, brain, method=name)).max() < tolerance
    if method == "cosine":
        size = np.mean(np.sum(parts**2, axis=1))
        ours = WeightedRDM(parts, ridge=0.1).fit(people).weights_
        assert np.abs(ours - fitter.fit_regress_nn(theirs, brain, ridge_weight=0.1 * size)).max() < tolerance
    chosen = SelectRDM(parts, method=method).fit(people).weights_
    assert chosen.argmax() == fitter.fit_select(model.ModelSelect("s", rdm.RDMs(parts)), brain, method=name)
    path = InterpolateRDM(parts, method=method).fit(people)
    known = fitter.fit_interpolate(model.ModelInterpolate("i", rdm.RDMs(parts)), brain, method=name)
    assert np.abs(path.weights_ - known).max() < 1e-4  # their search stops at 1e-5
    theirs_value = np.mean([float(cs.measures.compare_rdms(known @ parts, s, method=method)) for s in people])
    assert path.score(people) >= theirs_value - 1e-12


def test_planted_weights_come_back() -> None:
    parts, _ = data()
    w = np.array([0.6, 0.0, 0.8, 0.0])
    assert np.abs(WeightedRDM(parts).fit([w @ parts]).weights_ - w).max() < 1e-9
    signed = np.array([0.6, -0.8, 0.0, 0.0])
    assert (
        np.abs(
            WeightedRDM(parts, nonnegative=False, method="pearson").fit([signed @ parts]).weights_ - signed
        ).max()
        < 1e-9
    )
    model = InterpolateRDM(parts).fit([0.3 * parts[1] + 0.7 * parts[2]])
    assert np.abs(model.weights_ - [0, 0.3, 0.7, 0]).max() < 1e-9
    assert SelectRDM(parts, method="kendall").fit([parts[3] ** 2]).weights_.argmax() == 3


def test_no_other_weights_do_better() -> None:
    parts, people = data(seed=4)
    rng = np.random.default_rng(0)
    for method in ("cosine", "pearson", "whitened_cosine", "whitened_pearson"):
        model = WeightedRDM(parts, method=method).fit(people)
        top = model.score(people)
        for _ in range(60):
            other = model.weights_ + 0.05 * rng.random(4) * rng.choice([-1, 1], 4)
            value = np.mean(
                [
                    float(cs.measures.compare_rdms(np.maximum(other, 0) @ parts, s, method=method))
                    for s in people
                ]
            )
            assert value <= top + 1e-12


def test_estimators_of_scikit_learn() -> None:
    parts, people = data()
    for model in (FixedRDM(parts[0]), SelectRDM(parts), WeightedRDM(parts, ridge=0.1), InterpolateRDM(parts)):
        copy = clone(model)
        assert copy.get_params().keys() == model.get_params().keys()
        assert not hasattr(copy, "weights_")
        before = parts.copy()
        assert copy.fit(people).predict().shape == parts[0].shape
        assert (parts == before).all()
        assert 0 < copy.score(people) <= 1
    square = np.zeros((12, 12))
    square[np.triu_indices(12, 1)] = parts[0]
    assert np.isclose(
        FixedRDM(square + square.T).fit(people).score(people), FixedRDM(parts[0]).fit(people).score(people)
    )


def test_what_is_refused() -> None:
    parts, people = data()
    with pytest.raises(cs.InputError, match="WeightedRDM: method must be one of 'cosine'"):
        WeightedRDM(parts, method="kendall").fit(people)
    with pytest.raises(cs.InputError, match="the model has 66 pairs of stimuli and the data 45"):
        WeightedRDM(parts).fit(people[:, :45])
    with pytest.raises(cs.InputError, match="FixedRDM: one RDM, got 4"):
        FixedRDM(parts).fit(people)
    with pytest.raises(cs.InputError, match="at least 2 RDMs"):
        InterpolateRDM(parts[:1]).fit(people)
    with pytest.raises(cs.InputError, match="ridge must be a number"):
        WeightedRDM(parts, ridge=-1.0).fit(people)
