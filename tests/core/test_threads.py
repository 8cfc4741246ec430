"""One BLAS thread around small matrices, and what was set before afterwards."""

from __future__ import annotations

import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from consilience._core._threads import blas_threads, each_in_a_thread, one_thread, one_thread_if_small


def blas():
    import numpy  # noqa: F401  loads its BLAS

    return {entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"}


def test_small_matrices_get_one_thread_and_large_ones_what_there_is():
    with threadpool_limits(2, user_api="blas"):
        before = blas()
        with one_thread_if_small((50, 20), (50, 7)):
            assert blas() == {1}
            with one_thread_if_small((5, 5)):
                assert blas() == {1}
            assert blas() == {1}
        assert blas() == before
        with one_thread_if_small((50, 20), (50, 4000)):
            assert blas() == before


def test_the_last_of_concurrent_uses_restores():
    with threadpool_limits(2):
        before = blas()
        inside, leave, seen = threading.Event(), threading.Event(), []

        def other():
            with one_thread():
                inside.set()
                leave.wait(10)
            seen.append(blas())

        thread = threading.Thread(target=other)
        with one_thread():
            thread.start()
            assert inside.wait(10)
            leave.set()
            thread.join()
            assert seen == [{1}]  # this use still holds them
            with one_thread_if_small((5, 5)):
                assert blas() == {1}
            assert blas() == {1}
        assert blas() == before


def test_an_error_restores_too():
    with threadpool_limits(2):
        before = blas()
        with pytest.raises(ZeroDivisionError), one_thread():
            1 / 0  # noqa: B018
        assert blas() == before


def test_torch_is_held_and_restored():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread(), one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_parts_each_have_a_thread_with_one_blas_thread_and_the_context_of_the_caller():
    import numpy as np

    with threadpool_limits(2):
        assert blas_threads() == 2
        with np.errstate(over="raise"):
            found = each_in_a_thread(lambda part: (part, blas(), np.geterr()["over"]), [1, 2, 3])
        assert found == [(part, {1}, "raise") for part in (1, 2, 3)]
        assert blas() == {2}
        assert each_in_a_thread(lambda part: (part, blas()), [7]) == [(7, {2})]
        with pytest.raises(ZeroDivisionError):
            each_in_a_thread(lambda part: 1 // part, [1, 0])
        assert blas() == {2}
