"""A description of a file in lines, as `primeflow check` prints it."""

from collections.abc import Iterator

from primeflow_core.data.h5ad.reading import Examined, Inspection
from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading
from primeflow_core.wording import counted


def inspection_lines(examined: Examined) -> Iterator[str]:
    found = examined.inspection
    yield f"{found.source}: {found.cells:,} cells, {found.genes:,} genes, {found.zeros:.0%} zeros, {found.scale}"
    if found.layout is not None:
        yield from _reading_lines(found, found.layout, examined.reading)
    for problem in found.problems:
        yield f"  {problem.severity.upper()}: {problem}"
    yield f"  {'ready to train and evaluate on' if found.ready else 'not ready'}"


def _reading_lines(found: Inspection, layout: Layout, reading: Reading | None) -> Iterator[str]:
    chosen = {
        "condition": f"{layout.condition} ({counted(found.conditions, 'condition')})",
        "covariates": ", ".join(layout.covariates) or "none",
        "control": f"{layout.control} ({found.control_cells:,} cells)",
        "separator": _joined(found, layout),
        "dose": layout.dose or "none",
        "kind": layout.kind or "none",
    }
    if reading is not None:
        chosen["values"] = _values(reading)
    for name, text in chosen.items():
        reason = found.why.get(name, "")
        yield f"  {name:11} {text}" + (f"  [{reason}]" if reason else "")
    if found.contexts:
        yield f"  {'contexts':11} {', '.join(found.contexts)}"


def _joined(found: Inspection, layout: Layout) -> str:
    return f"{layout.separator!r} ({counted(len(found.combinations), 'combination')})" if layout.separator else "none"


def _values(reading: Reading) -> str:
    repair = reading.repair
    done = ", brought to the log scale (log1p at the median total)" if repair.normalise else ""
    return f"{repair.matrix}, {reading.scale}{done}"
