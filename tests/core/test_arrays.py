"""The door of every measure: what is no matrix of real numbers is refused in one sentence."""

import array_api_strict
import numpy as np
import pytest

import consilience as cs
from consilience._core._arrays import as_matrix

torch = pytest.importorskip("torch")
GOOD = np.random.default_rng(0).normal(size=(8, 3))


def tensor():
    return torch.tensor(GOOD)


REFUSED = {
    "sparse tensor": (
        lambda: tensor().to_sparse(),
        "sparse-array",
        r"x is a sparse tensor of shape \(8, 3\); pass x.to_dense\(\)",
    ),
    "meta": (lambda: torch.empty(8, 3, device="meta"), "not-an-array", "meta device, which holds no values"),
    "nested": (
        lambda: torch.nested.nested_tensor([torch.ones(3), torch.ones(2)]),
        "not-an-array",
        "nested tensor; every row must have the same length",
    ),
    "quantized": (
        lambda: torch.quantize_per_tensor(tensor().float(), 0.1, 0, torch.qint8),
        "not-numeric",
        r"got a quantized tensor; pass x.dequantize\(\)",
    ),
    "row on meta": (
        lambda: [torch.empty(3, device="meta")] * 8,
        "not-an-array",
        "a row of x is a tensor on the meta device",
    ),
    "complex": (lambda: tensor() + 1j, "not-numeric", "got dtype torch.complex128; convert it to float"),
    "whole numbers beyond 64 bits": (lambda: [[2**70, 1]] * 8, "not-numeric", "got dtype object; convert it"),
    "objects": (lambda: np.array([[None, 1.0]] * 8, dtype=object), "not-numeric", "got dtype object"),
    "rows of objects": (lambda: np.array([[1, 2], [3]], dtype=object), "not-2d", r"got shape \(2,\)"),
    "ragged": (lambda: [[1, 2], [3]], "not-an-array", "ragged list; every row must have the same length"),
    "text": (lambda: [["1", "2"]] * 8, "not-numeric", "got dtype <U1"),
    "a set": (lambda: {1, 2}, "not-an-array", "x must be an array, got set"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_matrix_of_numbers_is_refused_in_one_sentence(kind):
    make, code, text = REFUSED[kind]
    with pytest.raises(cs.InputError, match=text) as found:
        as_matrix(make(), name="x", who="t")
    assert found.value.code == code
    assert str(found.value).startswith("t: ")


@pytest.mark.parametrize(
    "make",
    [
        lambda: [row.clone().requires_grad_() for row in tensor()],
        lambda: list(GOOD),
        lambda: GOOD.tolist(),
        lambda: tensor().requires_grad_(),
        lambda: GOOD.astype(">f8"),
    ],
)
def test_rows_and_tensors_that_hold_the_numbers_are_taken(make):
    np.testing.assert_array_equal(np.asarray(as_matrix(make(), name="x", who="t")), GOOD)


def test_whole_numbers_of_64_bits_are_taken():
    high = np.full((8, 3), 2**63, dtype=np.uint64) + (
        np.arange(24, dtype=np.uint64) << np.uint64(20)
    ).reshape(8, 3)
    found = as_matrix(high, name="x", who="t")
    assert (found - found[0, 0] == (np.arange(24.0) * 2**20).reshape(8, 3)).all()


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
@pytest.mark.parametrize("name", cs.measures.names())
@pytest.mark.parametrize("library", [torch, array_api_strict], ids=["torch", "strict"])
def test_float32_against_float64_is_float64(name, library):
    f = getattr(cs.measures, name)
    rng = np.random.default_rng(1)
    good = np.concatenate([GOOD, rng.normal(size=(8, GOOD.shape[1]))])
    y = rng.normal(size=(16, 2)) + good[:, :2]
    single = good.astype(np.float32)
    expected = float(f(single.astype(np.float64), y))
    assert float(f(library.asarray(single), library.asarray(y))) == pytest.approx(expected, abs=1e-6)


def test_rdms_without_values_are_refused():
    with pytest.raises(cs.InputError, match="a is a tensor on the meta device"):
        cs.measures.compare_rdms(torch.empty(3, device="meta"), np.arange(3.0))
    with pytest.raises(cs.InputError, match="a is a sparse tensor"):
        cs.measures.compare_rdms(torch.arange(3.0).to_sparse(), np.arange(3.0))
