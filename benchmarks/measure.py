"""What every benchmark shares: a fresh process for each measurement, the machine it ran on, a table, a JSON file."""

import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primeflow_core.runtime.atomic_files import write_json
from primeflow_core.runtime.provenance import now, versions

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Measured:
    """``seconds`` of one call, the peak memory of its process and what it held before the call (bytes)."""

    seconds: float
    peak: int
    before: int
    result: Any


def in_fresh_process(prepare: Callable[..., Any], run: Callable[[Any], Any], *args: object, times: int = 1) -> Measured:
    """Time ``run(prepare(*args))`` without the preparation, the best of ``times``, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (prepare, run, args, times))


def _measure(prepare: Callable[..., Any], run: Callable[[Any], Any], args: Sequence[object], times: int) -> Measured:
    prepared = prepare(*args)
    before = _peak()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = run(prepared)
        seconds.append(time.perf_counter() - start)
    return Measured(min(seconds), _peak(), before, result)


def _peak() -> int:
    """Largest memory of this process so far, bytes."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    # macOS says it in bytes, Linux in kB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def peak(dtype: "torch.dtype") -> float:
    """Operations a second of a large matrix product, the best of several."""
    import torch

    a, b = (torch.randn(2048, 2048).to(dtype) for _ in range(2))
    a @ b
    rates = []
    for _ in range(8):
        start = time.perf_counter()
        a @ b
        rates.append(2 * 2048**3 / (time.perf_counter() - start))
    return max(rates)


def cores() -> int:
    """Those that this process may use; all of the machine where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, Any]:
    return {"cores": cores(), "system": platform.platform(), "versions": versions(), "at": now()}


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Columns as wide as their widest text."""
    texts = [[*rows[0]], *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(len(text) for text in column) for column in zip(*texts, strict=True)]
    for line in texts:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _text(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def save(path: Path, results: Mapping[str, Any]) -> None:
    """Write JSON with the machine and the time; the file appears only when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, json.loads(json.dumps({"machine": machine(), **results})))
    print(f"written: {path}")
