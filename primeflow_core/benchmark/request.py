"""A benchmark as asked for, and the work of it: its grid is trained and scored, and the tables are written."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from primeflow_core.benchmark.about import About
from primeflow_core.benchmark.grid import UNGUIDED, Grid
from primeflow_core.benchmark.run import FinishedEntry, OnRunning, run_entries
from primeflow_core.benchmark.scored_entry import check_scorable
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.data.reading_request import Report, read_requested
from primeflow_core.data.split_file import TEST
from primeflow_core.errors import SettingError
from primeflow_core.runtime.atomic_files import check_can_write
from primeflow_core.runtime.provenance import now, versions
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.source_file import SourceFile
from primeflow_core.wording import counted

if TYPE_CHECKING:
    from primeflow_core.benchmark.output_files import BenchmarkOutcome

MOST_SEEDS = 100


@dataclass(frozen=True)
class BenchmarkRequest:
    """``seeds`` trainings of each of ``recipes`` on ``source``, in the folder ``out``. ``title`` of the table and
    ``held_out``, what the split holds out in words, are for readers; ``command`` is for the record."""

    source: SourceFile
    recipes: tuple[Recipe, ...]
    out: Path
    seeds: int = 5
    first_seed: int = 0
    weights: tuple[float, ...] = (UNGUIDED,)
    cells: int = 1000
    part: str = TEST
    workers: int | None = None
    title: str = ""
    held_out: str = ""
    command: Sequence[str] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise SettingError(f"--seeds is {self.seeds}; it must be 1 to {MOST_SEEDS}.")
        if self.workers is not None and self.workers < 1:
            raise SettingError(f"--workers is {self.workers}; it must be 1 or more.")
        if self.out.is_file():
            raise SettingError(f"--out {self.out} is a file; name a folder.")
        check_can_write(self.out / "benchmark.csv")

    def store(self, report: Report) -> BenchmarkStore:
        """The folder with what is finished of the grid."""
        seeds = tuple(range(self.first_seed, self.first_seed + self.seeds))
        unlisted = {} if self.source.unlisted is None else {"unlisted": self.source.unlisted}
        said = {**self.source.chosen(report), **unlisted}
        files = self.source.data_sha256, self.source.split_sha256
        return BenchmarkStore(self.out, Grid(self.recipes, seeds, self.weights, self.cells, *files, self.part, said))


def run(
    request: BenchmarkRequest,
    store: BenchmarkStore,
    on_running: OnRunning,
    on_end: Callable[[FinishedEntry], None],
    report: Report,
) -> dict[str, str]:
    """Train and score what is missing; the caller is alone in the folder. Returns what failed, by name, and why."""
    failed: dict[str, str] = {}
    if not store.missing:
        return failed
    check_scorable(request.source.read(report), request.part)
    ends = run_entries(store, request.source.read_unheard, request.command, request.workers, on_running)
    with closing(ends):
        for ended in ends:
            if ended.failed:
                failed[ended.entry.name] = ended.failed
            on_end(ended)
    return failed


def tables(
    request: BenchmarkRequest, store: BenchmarkStore, failed: dict[str, str], report: Report
) -> "BenchmarkOutcome":
    """Write the tables of what is finished. Raises SettingError where nothing is."""
    from primeflow_core.benchmark.outcome import outcome

    source = request.source
    cells = read_requested(source.file, source.reading, source.split, report)
    found = outcome(_about(request, store.grid, failed), [store], cells)
    found.write(store.folder)
    return found


def check_whole(store: BenchmarkStore, failed: dict[str, str]) -> None:
    """Raises SettingError where a training failed."""
    if failed:
        raise SettingError(
            f"{len(failed)} of {counted(len(store.grid.entries), 'training')} failed, and the table is without them. "
            "Fix what is named above, then run the same command again to resume."
        )


def _about(request: BenchmarkRequest, grid: Grid, failed: dict[str, str]) -> About:
    file = request.source.file
    return About(
        title=request.title or f"Models on {file.name}",
        data=file.name,
        simulated=request.source.simulated,
        split=request.held_out or f"Held out by {request.source.split.name}",
        command=" ".join(request.command),
        cells=grid.cells,
        seeds=grid.seeds,
        part=grid.part,
        data_sha256=grid.data_sha256,
        split_sha256=(grid.split_sha256,),
        recipes={recipe.name: recipe.summary for recipe in grid.recipes},
        versions=versions(),
        made=now(),
        failed=dict(failed),
    )
