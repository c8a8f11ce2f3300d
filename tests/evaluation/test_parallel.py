"""Sharing work out among threads: results in order, BLAS on one thread inside and as before afterwards."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from primeflow_core.evaluation.parallel import shared_out, single_threaded_blas


def blas_threads():
    """Of NumPy's library; others may be loaded by tests that ran before."""
    return [library["num_threads"] for library in threadpool_info() if "numpy" in library["filepath"]]


def test_results_come_in_the_order_of_the_tasks():
    assert shared_out(lambda task: task**2, range(50)) == [task**2 for task in range(50)]
    assert shared_out(str, []) == []


def test_blas_has_one_thread_inside_and_its_own_number_afterwards():
    before = blas_threads()
    with single_threaded_blas() as threads:
        assert set(blas_threads()) <= {1}
        assert threads >= 1
    assert blas_threads() == before


def test_threads_that_overlap_leave_blas_as_it_was_with_the_same_results():
    before = blas_threads()
    a = np.random.default_rng(0).random((300, 200))
    expected = a @ a.T
    both = threading.Barrier(2)
    found: list[list[np.ndarray]] = []

    def products():
        both.wait(timeout=240)
        for _ in range(20):
            found.append(shared_out(lambda row: a[row : row + 100] @ a.T, [0, 100, 200]))

    threads = [threading.Thread(target=products) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=240)
    assert len(found) == 40
    for rows in found:
        np.testing.assert_allclose(np.concatenate(rows), expected)
    assert blas_threads() == before


def test_an_error_in_a_task_is_raised_and_blas_is_as_before():
    before = blas_threads()
    with pytest.raises(ZeroDivisionError):
        shared_out(lambda task: 1 // task, [1, 0, 1])
    assert blas_threads() == before
