"""A model: what it can predict, cells that it predicts, its card, and rankings by it."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from primeflow_core.errors import SettingError
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.notebook.progress import progress_bar, unheard, warn
from primeflow_core.notebook.temporary_files import (
    Candidates,
    candidates_in,
    contexts_of,
    data_file_in,
    doses_text,
    joined,
    recorded,
)

if TYPE_CHECKING:
    from anndata import AnnData

    from primeflow_core.models.predictor import Predictor
    from primeflow_core.notebook.dataset import CellData, HeldFile
    from primeflow_core.screening.screen_file import Screen
    from primeflow_core.screening.screen_spec import ScreenOrder

HELD_OUT = ("val", "test")


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """A trained model in ``folder``. ``data``: what it learned from, where that is at hand."""

    folder: Path
    device: str = "cpu"
    data: "CellData | None" = field(default=None, compare=False)

    @property
    def manifest(self) -> Manifest:
        """What config.json says. Read each time, because a card or a student changes it."""
        return checkpoint.read_manifest(self.folder)

    @cached_property
    def _loaded(self) -> "dict[int, Predictor]":
        return {}

    @property
    def predictor(self) -> "Predictor":
        """The network with its weights, loaded when it is first needed, and again when they were changed."""
        version = checkpoint.version_of(self.folder)
        if version not in self._loaded:
            self._loaded.clear()
            self._loaded[version] = checkpoint.load(self.folder, self.device)
        return self._loaded[version]

    def conditions(self) -> pd.DataFrame:
        """The measured conditions: perturbation, covariates, and whether training saw them (train, val or test)."""
        manifest = self.manifest
        parts = {"train": manifest.trained_on, "val": manifest.validated_on, "test": manifest.tested_on}
        columns = ["perturbation", *(name for name, _ in manifest.vocabulary.covariates), "part"]
        rows = [
            (condition.label, *(value for _, value in condition.covariates), part)
            for part, conditions in parts.items()
            for condition in conditions
        ]
        return pd.DataFrame(rows, columns=columns)

    def generate(
        self,
        perturbations: str | Iterable[str] | None = None,
        *,
        covariates: Mapping[str, str] | None = None,
        held_out: str | None = None,
        cells: int = 1000,
        seed: int = 0,
        guidance: float | None = None,
        sampler: str | None = None,
        steps: int | None = None,
        zeros: str | None = None,
        batch_size: int | None = None,
        precision: str | None = None,
        progress: bool = True,
    ) -> "AnnData":
        """``cells`` predicted cells of each of ``perturbations``, or of every condition held out for ``held_out``.

        Raises ConditionError for what the model cannot predict, SettingError for impossible settings.
        """
        from primeflow_core.prediction.generation import generate, generated_anndata

        conditions, labels = self._asked(perturbations, covariates or {}, held_out)
        plan = self.manifest.sampling.with_settings(
            seed=seed, guidance=guidance, sampler=sampler, steps=steps, zeros=zeros, batch_size=batch_size,
            precision=precision,
        )  # fmt: skip
        plan = self.predictor.settled(plan)
        with progress_bar("cells × solver steps", cells * len(labels) * plan.steps, shown=progress) as done:
            generated = generate(self.predictor, conditions, labels, cells, plan, done)
        return generated_anndata(generated, self.manifest, plan)

    def _asked(
        self, perturbations: str | Iterable[str] | None, covariates: Mapping[str, str], held_out: str | None
    ) -> tuple[Sequence[Any], list[str]]:
        from primeflow_core.model_store.asked_condition import asked_condition
        from primeflow_core.model_store.held_out_conditions import held_out_conditions

        if (perturbations is None) == (held_out is None):
            raise SettingError("Name the perturbations, or give held_out='val' or held_out='test': one of the two.")
        if perturbations is not None:
            labels = [perturbations] if isinstance(perturbations, str) else list(perturbations)
            return [asked_condition(self.manifest, label, covariates) for label in labels], labels
        if held_out not in HELD_OUT:
            raise SettingError(f"held_out is {held_out!r}; it must be 'val' or 'test'.")
        conditions = held_out_conditions(self.manifest, held_out, warn)
        return conditions, [condition.label for condition in conditions]

    def card(
        self,
        data: "str | Path | AnnData | CellData | None" = None,
        *,
        cells: int = 500,
        seed: int = 0,
        half: bool = False,
    ) -> str:
        """Evaluate the model on what it never saw; metrics, card and preview are written into its folder.

        Returns the card in Markdown. ``data``: what it was trained on, None to find it.
        """
        from primeflow_core.model_store.model_card import write_card
        from primeflow_core.model_store.training_file import training_cells

        held = self._training_file(data)
        measured = training_cells(self.folder, self.manifest, None if held is None else held.file.path)
        return write_card(
            self.folder, measured, cells_per_condition=cells, seed=seed, half=half,
            command=recorded("TrainedModel.card", cells=cells, seed=seed, half=half), report=unheard,
        )  # fmt: skip

    def _training_file(self, data: "str | Path | AnnData | CellData | None") -> "HeldFile | None":
        from primeflow_core.notebook.dataset import CellData, held_file

        given = self.data if data is None else data
        return given.held if isinstance(given, CellData) else None if given is None else held_file(given)

    def screen(
        self,
        candidates: Candidates = "all-pairs",
        *,
        goal: str = "effect",
        parts: str | Iterable[str] | None = None,
        covariates: Mapping[str, str | Iterable[str]] | None = None,
        doses: str | Iterable[float] = "highest",
        target: "str | AnnData | Path | None" = None,
        raised: str | Iterable[str] | None = None,
        lowered: str | Iterable[str] | None = None,
        gene: str | None = None,
        cells: int = 200,
        noise_seeds: int = 2,
        seed: int = 0,
        guidance: float | None = None,
        sampler: str | None = None,
        steps: int | None = None,
        data: "str | Path | AnnData | CellData | None" = None,
        out: str | Path | None = None,
        changes: bool = False,
        suggest: int = 8,
        workers: int | None = None,
        progress: bool = True,
    ) -> "Screen":
        """Rank candidates by a goal: ``table`` best first, ``trust`` in it, and ``next``, what to measure next.

        ``candidates``: all-singles, all-pairs, all-triples, a file, labels or a table with the column perturbation.
        ``target``: the label of a measured condition, or cells of the target state. ``out``: a .parquet to keep, with
        which a killed screen resumes; None keeps nothing.
        """
        from primeflow_core.screening.screen_question import ScreenWishes, asked_goal, check_seeds, question
        from primeflow_core.screening.screen_run import ScreenRun
        from primeflow_core.screening.target_file import TargetFile

        check_seeds(noise_seeds, seed)
        with tempfile.TemporaryDirectory(prefix="primeflow-") as place:
            folder = Path(place)
            plan = self.manifest.sampling.with_settings(seed=seed, guidance=guidance, sampler=sampler, steps=steps)
            held = self._training_file(data)
            label = target if isinstance(target, str) else None
            cells_of_target = None if target is label else TargetFile(Path(data_file_in(folder, target, "target.h5ad")))
            wishes = ScreenWishes(
                self.folder, plan, candidates_in(folder, candidates), joined(parts), contexts_of(covariates),
                doses_text(doses), goal, label, cells_of_target, joined(raised), joined(lowered), gene, cells,
                noise_seeds, seed, None if held is None else held.file.path,
            )  # fmt: skip
            asked = question(wishes, asked_goal(wishes), self.manifest, warn)
            file = folder / "screen.parquet" if out is None else _parquet(Path(out))
            run = ScreenRun(asked, file, changes, suggest, workers)
            _, found = run.screen(lambda order, parts: _bar(order, shown=progress), warn)
        return found

    def __repr__(self) -> str:
        manifest = self.manifest
        return (
            f"TrainedModel {manifest.name!r}: recipe {manifest.recipe}, {len(manifest.genes):,} genes, trained on "
            f"{len(manifest.trained_on):,} conditions of {manifest.dataset}, in {self.folder}"
        )


def _parquet(path: Path) -> Path:
    if path.suffix != ".parquet":
        raise SettingError(f"out is {path}; it must end in .parquet.")
    return path


@contextmanager
def _bar(order: "ScreenOrder", *, shown: bool) -> Iterator[Callable[[int], None]]:
    ends = [0, *(shard.stop for shard in order.shards)]
    with progress_bar("conditions", len(order.everything), shown=shown) as done:
        yield lambda shards: done(ends[shards])
