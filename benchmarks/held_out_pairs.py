"""The held-out pairs of one model by every side that can be ranked: the model, the experiment, the baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.folds import Model, classes
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import TRAIN
from primeflow_core.data.splits import read_split
from primeflow_core.evaluation.effect_products import measures, unbiased_products
from primeflow_core.evaluation.interaction import Interaction
from primeflow_core.evaluation.profiles import log_fold_change, mean_profile
from primeflow_core.model_store.fitted_baselines import fitted_to_training
from primeflow_core.models import checkpoint
from primeflow_core.prediction.control_rows import control_rows, in_training
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.rank_agreement import GoalScores
from primeflow_core.screening.reference_cells import Reference, measured_reference
from primeflow_core.screening.scoring import Scorer, Subject
from primeflow_core.screening.screen_spec import RESAMPLES

CELLS, SEEDS, SEED_OF_PARTS = 200, (0, 1), 1_000
WANTED_GENES = 10
MODEL, MEASURED = "primeflow", "measured"
BASELINES = ("no-change", "sum-of-singles", "mix-of-singles", "ridge")
SYNERGY = Goal("synergy")

BySeed = Sequence[np.ndarray]


@dataclass(frozen=True)
class Offered:
    """Cells (n, G) of each noise seed of every pair, and the controls (k, G) that their effects are measured from."""

    pairs: Mapping[Condition, BySeed]
    controls: np.ndarray


@dataclass(frozen=True)
class HeldOutPairs:
    """``alone``: cells of each part and of controls, of each noise seed, as the model predicts them."""

    model: Model
    cells: Cells
    reference: Reference
    sides: Mapping[str, Offered]
    alone: Mapping[Condition, BySeed]

    @staticmethod
    def of(model: Model, cells: Cells) -> "HeldOutPairs":
        """Predict what the model holds out; pairs from noise that all share, parts from noise of their own."""
        predictor, manifest = checkpoint.load(model.folder), checkpoint.read_manifest(model.folder)

        def predicted(condition: Condition, first_seed: int) -> BySeed:
            plans = [replace(manifest.sampling, seed=first_seed + seed) for seed in SEEDS]
            return [predictor.predict(condition, CELLS, plan) for plan in plans]

        reference = measured_reference(cells, model.folder, manifest.genes, model.held_out, None)
        parts = dict.fromkeys(part for pair in model.held_out for part in (pair.control(), *pair.parts))
        made = {pair: predicted(pair, 0) for pair in model.held_out}
        alone = {part: predicted(part, SEED_OF_PARTS + len(SEEDS) * i) for i, part in enumerate(parts)}
        sides = {MODEL: Offered(made, reference.controls(model.held_out[0].covariates))}
        return HeldOutPairs(model, cells, reference, sides | _others(model, cells, reference), alone)

    def scores(self, goal: Goal) -> dict[str, GoalScores]:
        """Of each side the scores of the pairs, with replicates over cells."""
        scorer = self._scorer(goal)
        found = {}
        for name, side in self.sides.items():
            scored = [scorer.score(pair, by_seed, side.controls) for pair, by_seed in side.pairs.items()]
            value = np.array([each.score for each in scored])
            found[name] = GoalScores(goal, value, np.stack([each.replicates for each in scored]))
        return found

    def interactions(self) -> dict[str, list[Interaction]]:
        """Of each side the pairs beside their parts measured alone; ``MODEL + " alone"``: beside predicted parts."""
        scorer = self._scorer(SYNERGY)
        subjects = {name: self._subjects(scorer, side) for name, side in self.sides.items()}
        found = {name: [scorer.against_measured(one) for one in each] for name, each in subjects.items()}
        found[f"{MODEL} alone"] = [scorer.against_predicted(one) for one in subjects[MODEL]]
        return {name: [one.interaction for one in each if one is not None] for name, each in found.items()}

    def sum_size(self, pair: Condition) -> float:
        """Length of the sum of the parts' changes as measured, free of noise."""
        singles = [self.cells.dense(self.cells.where(part)) for part in pair.parts]
        products = unbiased_products([singles[0], *singles], self.sides[MODEL].controls)
        return float(np.sqrt(measures(products).sum_square))

    def _subjects(self, scorer: Scorer, side: Offered) -> list[Subject]:
        return [scorer.subject(pair, by_seed, side.controls) for pair, by_seed in side.pairs.items()]

    def _scorer(self, goal: Goal) -> Scorer:
        genes, reference = self.cells.genes, self.reference
        if goal.target is not None:
            reference = measured_reference(self.cells, self.model.folder, genes, self.model.held_out, goal.target)
        return Scorer(genes, goal, reference, RESAMPLES, self.alone.__getitem__)


def _others(model: Model, cells: Cells, reference: Reference) -> dict[str, Offered]:
    """Measured effects from controls that training did not use, those of baselines from the model's."""
    first = model.held_out[0]
    unused = control_rows(cells, first, in_training(cells, model.folder))[1]
    measured = {pair: [cells.dense(cells.where(pair))] for pair in model.held_out}
    found = {MEASURED: Offered(measured, cells.dense(unused))}
    fitted, most = fitted_to_training(cells, model.folder), CELLS * len(SEEDS)
    for name in BASELINES:
        baseline = fitted[name]
        drawn = {pair: [baseline.predict(pair, min(most, baseline.distinct(pair)), seed=0)] for pair in model.held_out}
        found[name] = Offered(drawn, reference.controls(first.covariates))
    return found


def goals(model: Model, cells: Cells) -> tuple[Goal, ...]:
    """Every goal. The target is the part of pairs that does most alone, by training cells; the genes are those that it
    changes most, itself left out."""
    training = cells.subset(read_split(model.folder / checkpoint.SPLIT, cells).indices(cells, TRAIN))
    controls = training.dense(training.where(model.held_out[0].control()))
    singles = list(dict.fromkeys(part for pair in classes() for part in pair.parts))
    sizes = [float(unbiased_products([training.dense(training.where(one))], controls)[0, 0]) for one in singles]
    strong = singles[int(np.argmax(sizes))]
    change = log_fold_change(mean_profile(training.dense(training.where(strong))), mean_profile(controls))
    order = [i for i in np.argsort(-np.abs(change), kind="stable") if cells.genes[i] != strong.perturbations[0].name]
    raised, lowered = (tuple(cells.genes[i] for i in order[:WANTED_GENES] if sign * change[i] > 0) for sign in (1, -1))
    return (
        Goal("effect"),
        Goal("target", target=strong),
        Goal("direction", target=strong),
        Goal("genes", raised, lowered),
        Goal("moves", (cells.genes[order[0]],)),
        SYNERGY,
        Goal("suppression"),
    )
