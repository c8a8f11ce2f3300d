"""What the tests of CPA, SAMS-VAE and Biolord share: cells that differ clearly, batches of them, a short training."""

from collections.abc import Sequence

import numpy as np
import torch

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation, Vocabulary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.predictor import Batch, Predictor
from primeflow_core.training.batches import CellSource
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.trainer import Trainer

CPU = torch.device("cpu")
GENES = 12
CONTEXTS = {
    "none": ((),),
    "one": ((("cell_type", "k562"),), (("cell_type", "hap1"),)),
    "two": tuple((("cell_type", cell), ("donor", donor)) for cell in ("k562", "hap1") for donor in ("1", "2")),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def screen(contexts: str = "one", names: Sequence[str] = "AB", each: int = 16, seed: int = 0) -> Cells:
    """Control, singles and one pair in every context; each perturbation lifts two genes of its own by 2."""
    labels = [(), *((name,) for name in names), tuple(names[:2])]
    conditions = tuple(
        Condition(tuple(Perturbation(name) for name in label), context)
        for context in CONTEXTS[contexts]
        for label in labels
    )
    condition_of = np.repeat(np.arange(len(conditions)), each)
    mean = np.full((len(conditions), GENES), 1.0)
    for row, condition in zip(mean, conditions, strict=True):
        for part in condition.perturbations:
            first = 2 * names.index(part.name)
            row[first : first + 2] += 2
        row[-1] += CONTEXTS[contexts].index(condition.covariates)
    values = mean[condition_of] + np.random.default_rng(seed).normal(0, 0.3, (len(condition_of), GENES))
    names_of_genes = tuple(f"G{i}" for i in range(GENES))
    names_of_cells = np.array([f"cell{i}" for i in range(len(values))])
    return Cells(np.maximum(values, 0).astype(np.float32), names_of_genes, names_of_cells, conditions, condition_of)


def vocabulary_of(cells: Cells) -> Vocabulary:
    return Vocabulary.from_conditions(cells.conditions)


def source_of(cells: Cells) -> CellSource:
    return CellSource(cells, np.arange(len(cells)), vocabulary_of(cells), CPU)


def built(row: Architecture, cells: Cells, seed: int = 0) -> Predictor:
    """The model with its statistics, not yet trained."""
    torch.manual_seed(seed)
    model = row.build(cells.genes, vocabulary_of(cells))
    model.fit_statistics(source_of(cells).chunks)
    return model


def batch_of(cells: Cells, rows: Sequence[int] | None = None) -> Batch:
    return source_of(cells).batch(np.arange(len(cells)) if rows is None else np.array(rows))


def trained(row: Architecture, cells: Cells, config: TrainingConfig) -> Predictor:
    torch.manual_seed(0)
    trainer = Trainer(row.build(cells.genes, vocabulary_of(cells)), source_of(cells), None, config, 0)
    trainer.predictor.fit_statistics(trainer.train_cells.chunks)
    for _ in range(config.steps):
        trainer.step()
    return trainer.predictor.eval()
