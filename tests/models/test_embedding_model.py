"""Maps of neighbours: what they keep, how stable they are, and their null."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import Isomap
from sklearn.utils.estimator_checks import check_estimator

import consilience as cs

QUICK = {"n_neighbours": 8, "n_seeds": 2, "n_subsamples": 2, "n_null": 19, "rng": 0}


def ring(n=120, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.cos(angle[:, None] - np.linspace(0, 2 * np.pi, 9)[:-1]) + noise * rng.normal(size=(n, 8)), angle


def test_a_plane_is_kept_by_its_own_map_and_seeds_agree():
    x, _ = ring(noise=0.0)
    model = cs.models.Embedding(PCA(2), **QUICK).fit(x)
    np.testing.assert_allclose(model.neighbours_kept_, 1)
    np.testing.assert_allclose(model.stable_over_seeds_, 1)
    assert np.nanmin(model.stable_over_subsamples_) == 1
    assert model.trustworthiness_ == pytest.approx(1)
    assert model.p_ == pytest.approx(1 / 20)
    assert model.chance_ == pytest.approx(8 / 119)
    assert model.null_.shape == (19,)
    assert model.embedding_.shape == (120, 2)
    np.testing.assert_allclose(model.transform(x), model.embedding_)


def test_without_structure_p_is_no_small_one():
    """The null is the pipeline on permuted columns: of independent columns p is uniform."""
    p = [
        cs.models.Embedding(PCA(2), **{**QUICK, "rng": s})
        .fit(np.random.default_rng(s).normal(size=(60, 6)))
        .p_
        for s in range(60)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.15
    assert 0.3 < np.mean(p) < 0.7


def test_one_seed_gives_one_map_and_inputs_stay():
    x, _ = ring(60)
    before = x.copy()
    x.setflags(write=False)
    options = {**QUICK, "n_null": 0, "options": {"max_iter": 250}}
    one, two = (cs.models.Embedding("tsne", **options).fit(x) for _ in range(2))
    np.testing.assert_array_equal(one.embeddings_, two.embeddings_)
    np.testing.assert_array_equal(x, before)
    assert np.isnan(one.p_)
    assert not hasattr(one, "transform")
    assert np.abs(one.embeddings_[0] - one.embeddings_[1]).max() > 1  # started at random


def test_umap_is_asked_for_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r"An embedding by UMAP needs umap.*consilience\[embeddings\]"):
        cs.models.Embedding("umap").fit(ring()[0])


def test_umap_where_it_is_installed():
    pytest.importorskip("umap")
    x, _ = ring()
    assert cs.models.Embedding("umap", **{**QUICK, "n_null": 0}).fit(x).neighbours_kept_.mean() > 0.5


def test_scikit_learn_checks():
    model = cs.models.Embedding(PCA(1), n_seeds=2, n_subsamples=2, n_null=0, n_neighbours=2)
    found = check_estimator(model, on_fail=None, on_skip=None)
    assert [row["check_name"] for row in found if row["status"] == "failed"] == []


def test_what_is_refused():
    x, _ = ring(40)
    for options, message in (
        ({"method": "pca"}, "method must be one of"),
        ({"method": np.mean}, "an estimator with fit_transform"),
        ({"n_seeds": 1}, "n_seeds must be a whole number, at least 2"),
        ({"share": 1.5}, "share=1.5 of 40 rows"),
    ):
        with pytest.raises(cs.InputError, match=message):
            cs.models.Embedding(**{"method": PCA(2), **options}).fit(x)
    with pytest.raises(cs.InputError, match="no unit of 3 varies"):
        cs.models.Embedding(PCA(2)).fit(np.ones((40, 3)))


def test_isomap_places_new_rows():
    x, angle = ring(160)
    model = cs.models.Embedding(Isomap(n_neighbors=8), **{**QUICK, "n_null": 0}).fit(x[:120])
    z = model.transform(x[120:])
    turn = np.arctan2(z[:, 1], z[:, 0])
    same = np.abs(np.exp(1j * (turn - angle[120:])).mean())
    mirrored = np.abs(np.exp(1j * (turn + angle[120:])).mean())
    assert max(same, mirrored) > 0.95
