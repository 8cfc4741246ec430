"""One BLAS thread around small matrices, and what was set before afterwards."""

from __future__ import annotations

from threadpoolctl import threadpool_info, threadpool_limits

from consilience._core._threads import one_thread_if_small


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
