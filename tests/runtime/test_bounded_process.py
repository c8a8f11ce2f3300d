"""Calls in a child process: results and named errors come back, and every bound is kept."""

import ctypes
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import psutil
import pytest
from tblib import pickling_support

from primeflow_core.errors import ConditionError, OverrunError, PrimeflowError
from primeflow_core.runtime import bounded_process
from primeflow_core.runtime.bounded_child import Bounds, Call
from primeflow_core.runtime.bounded_process import MOST_AT_ONCE, ChildError, bounded

WIDE = Bounds(memory=500_000_000, processor=60, wall=120)


def doubled(value):
    return 2 * value


def refuse(text):
    raise ConditionError(text)


def refuse_after_much(text):
    """As a library does that was imported meanwhile: pickled errors take along what led to them."""
    pickling_support.install()
    try:
        raise NeverPickledError("before")
    except NeverPickledError as error:
        raise ConditionError(text) from error


def swell(size):
    return int(np.ones(size, dtype=np.uint8).sum())


def spin():
    while True:
        pass


def spin_without_python():
    """In C, with the interpreter held: nothing of Python runs in that process any more."""
    ctypes.PyDLL(None).pause() if sys.platform != "win32" else spin()


def crash():
    os.abort()


class NeverPickledError(Exception):
    """Holds what cannot be sent."""

    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


class PickledOnlyError(Exception):
    """Can be sent, but not be made again from what was sent."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def mistake():
    return {}["a bug of ours"]


def raise_made(kind, *arguments):
    raise kind(*arguments)


def never_pickled():
    return threading.Lock()


def leave():
    sys.exit(3)


def process():
    return os.getpid()


def busy(seconds):
    time.sleep(seconds)
    return time.monotonic() - seconds, time.monotonic()


def shout(text):
    os.write(1, text.encode())
    return text


def test_the_result_comes_back():
    assert bounded(WIDE, "a", doubled, 21) == 42
    assert bounded(WIDE, "a", doubled, value="ab") == "abab"


def test_it_is_another_process_and_the_same_one_again():
    first = bounded(WIDE, "a", process)
    assert first != os.getpid()
    assert bounded(WIDE, "a", process) == first


def test_named_errors_come_back():
    with pytest.raises(ConditionError, match="No such gene"):
        bounded(WIDE, "a", refuse, "No such gene.")


def test_an_unexpected_error_is_raised_as_it_is_with_what_led_to_it():
    with pytest.raises(KeyError, match="a bug of ours") as caught:
        bounded(WIDE, "cells.h5ad", mistake)
    led = str(caught.value.__cause__)
    assert "Traceback (most recent call last)" in led
    assert 'return {}["a bug of ours"]' in led
    assert bounded(WIDE, "a", doubled, 1) == 2


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (raise_made, (NeverPickledError, "a lock"), "NeverPickledError: a lock"),
        (raise_made, (PickledOnlyError, 1, 2), "PickledOnlyError: 1 2"),
        (never_pickled, (), "cannot pickle '_thread.lock' object"),
    ],
)
def test_what_cannot_be_sent_is_told_in_words(function, arguments, said):
    with pytest.raises((TypeError, ChildError), match=said) as caught:
        bounded(WIDE, "a", function, *arguments)
    assert not isinstance(caught.value, PrimeflowError)
    assert "Traceback (most recent call last)" in str(caught.value.__cause__)
    assert bounded(WIDE, "a", doubled, 1) == 2


def test_a_function_that_is_not_there_is_a_bug_too():
    missing = replace(doubled_call(), name="nowhere")
    with pytest.raises(AttributeError, match="nowhere"):
        bounded_process.Pool(1).carried_out(missing, "a")


def test_an_orderly_end_is_an_end_all_the_same():
    with pytest.raises(OverrunError, match="ended before it had finished"):
        bounded(WIDE, "a", leave)


def doubled_call():
    return Call(__name__, "doubled", (1,), {}, WIDE, os.getcwd(), tuple(sys.path))


def test_a_named_error_comes_back_whatever_led_to_it():
    with pytest.raises(ConditionError, match="No such gene"):
        bounded(WIDE, "a", refuse_after_much, "No such gene.")


def test_the_folder_is_that_of_the_parent_at_the_time_of_the_call(tmp_path, monkeypatch):
    bounded(WIDE, "a", doubled, 1)
    monkeypatch.chdir(tmp_path)
    assert bounded(WIDE, "a", os.getcwd) == str(tmp_path)


def test_what_it_prints_does_not_come_between():
    assert bounded(WIDE, "a", shout, "hello") == "hello"
    assert bounded(WIDE, "a", doubled, 3) == 6


@pytest.mark.parametrize(
    ("bounds", "function", "arguments", "said"),
    [
        (Bounds(200_000_000, 60, 120), swell, (800_000_000,), "more than 0.2 GB of memory"),
        (Bounds(200_000_000, 60, 120), np.empty, (10**13,), "more than 0.2 GB of memory"),
        (Bounds(200_000_000, 1, 120), spin, (), "more than 1 s of processor time"),
        (Bounds(200_000_000, 60, 1), spin_without_python, (), "more than 1 s and"),
        (WIDE, crash, (), "SIGABRT"),
    ],
)
def test_an_overrun_is_a_named_error_and_the_next_call_works(bounds, function, arguments, said):
    start = time.monotonic()
    with pytest.raises(OverrunError, match=said) as caught:
        bounded(bounds, "cells.h5ad", function, *arguments)
    assert str(caught.value).startswith("cells.h5ad: ")
    assert time.monotonic() - start < 60
    assert bounded(WIDE, "a", doubled, 1) == 2


def test_memory_is_not_taken_far_above_the_bound():
    with pytest.raises(OverrunError):
        bounded(Bounds(300_000_000, 60, 120), "a", swell, 20_000_000_000)


def test_no_more_work_at_once_than_may():
    with ThreadPoolExecutor(6) as threads:
        spans = list(threads.map(lambda _: bounded(WIDE, "a", busy, 0.3), range(6)))
    for start, _ in spans:
        assert sum(other <= start < end for other, end in spans) <= MOST_AT_ONCE


def test_others_go_on_while_one_spins():
    ended = threading.Event()

    def overrun():
        with pytest.raises(OverrunError):
            bounded(Bounds(200_000_000, 60, 2), "a", spin_without_python)
        ended.set()

    thread = threading.Thread(target=overrun)
    thread.start()
    assert bounded(WIDE, "a", doubled, 4) == 8
    thread.join()
    assert ended.is_set()


def test_a_killed_child_is_gone():
    child = bounded(WIDE, "a", process)
    with pytest.raises(OverrunError):
        bounded(Bounds(200_000_000, 60, 1), "a", spin_without_python)
    assert not psutil.pid_exists(child)
