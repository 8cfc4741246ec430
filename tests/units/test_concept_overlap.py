"""Overlap of units with concepts: planted masks, the direct definition, chance, refusals."""

import numpy as np
import pytest

import consilience as cs
from consilience.units import concept_overlap


def planted(n=40, seed=0, strength=3.0):
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, 8, 8), bool)
    for mask, y, x in zip(masks, rng.integers(6, size=n), rng.integers(6, size=n)):
        mask[y : y + 3, x : x + 3] = True
    maps = np.stack([strength * masks + rng.normal(size=masks.shape), rng.normal(size=masks.shape)], axis=1)
    return maps, masks


def test_a_unit_on_the_concept_and_one_beside_it():
    maps, masks = planted()
    found = concept_overlap(maps, masks, n_perm=99)
    assert found.value[0] > 0.5
    assert found.p[0] == 0.01
    assert found.p[1] > 0.05
    assert found.ci_low[0] > found.null_mean[0]
    np.testing.assert_allclose(found.value[1], found.null_mean[1], atol=0.05)
    perfect = concept_overlap(masks.astype(float), masks, top=9 / 64, n_perm=0)
    assert perfect.value[0] == 1


def test_it_is_the_ratio_of_sums_with_the_threshold_of_the_other_half():
    maps, masks = planted(n=21, seed=3, strength=1.0)
    found = concept_overlap(maps, masks, top=0.1, n_perm=0, rng=5)
    from consilience._core._seeds import resolve_seed

    order = resolve_seed(5, who="").stream("halves").permutation(21)
    halves = [order[:10], order[10:]]
    for u in range(2):
        both = either = 0
        for own, other in (halves, halves[::-1]):
            cut = np.quantile(maps[own, u], 0.9)
            active = maps[other, u] > cut
            both += (active & masks[other]).sum()
            either += (active | masks[other]).sum()
        assert found.value[u] == pytest.approx(both / either)


def test_the_share_is_chosen_on_the_other_half_only():
    """Noise: choosing on the half that is scored would lift the value above chance."""
    lift = []
    for seed in range(40):
        maps, masks = planted(n=20, seed=seed, strength=0.0)
        found = concept_overlap(maps[:, 1:], masks, n_perm=19, rng=seed)
        lift.append(found.value[0] - found.null_mean[0])
    assert abs(np.mean(lift)) < 3 * np.std(lift) / np.sqrt(40)


def test_order_scale_and_size_of_maps():
    maps, masks = planted()
    found = concept_overlap(maps, masks, n_perm=9)
    again = concept_overlap(5 * maps.astype("float32") + 3, masks.astype(int), n_perm=9)
    np.testing.assert_allclose(again.value, found.value, atol=1e-6)
    one = concept_overlap(maps[:, 0], masks, n_perm=9)
    assert one.value[0] == found.value[0]
    small = maps.reshape(40, 2, 4, 2, 4, 2).mean((3, 5))
    assert concept_overlap(small, masks, n_perm=99).value[0] > 0.3
    # not invariant to a change of order that depends on the image
    assert (
        concept_overlap(maps + np.arange(40)[:, None, None, None], masks, n_perm=0).value[0] != found.value[0]
    )


def test_refusals():
    maps, masks = planted()
    none = np.zeros_like(masks)
    none[0] = True
    for call, text, code in [
        (lambda: concept_overlap(maps, masks[:9]), "of the same n images", "rows-differ"),
        (lambda: concept_overlap(maps[:9], masks[:9]), "at least 10 images", "too-few"),
        (lambda: concept_overlap(maps, masks * 7), "pass segments == number", "bad-parameter"),
        (lambda: concept_overlap(maps, none), "in none of one half", "too-few"),
        (
            lambda: concept_overlap(np.where(maps > 2, np.nan, maps), masks),
            "finite real numbers",
            "nan-values",
        ),
        (lambda: concept_overlap(maps, masks, top=[]), "top is empty", "bad-parameter"),
        (lambda: concept_overlap(maps, masks, top=1.5), "top must be a number in", "bad-parameter"),
    ]:
        with pytest.raises(cs.InputError, match=text) as caught:
            call()
        assert caught.value.code == code
