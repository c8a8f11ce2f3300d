"""The figures of a ranking as files hold them: its first scores, and all pairs as a heat map."""

from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.figures.interactive.pairs import INTERACTION, PairGrid, Scale, pair_grid
from primeflow_core.figures.interactive.ranking import first_rows
from primeflow_core.figures.paper import pairs as print_pairs
from primeflow_core.figures.paper import ranking as print_ranking
from primeflow_core.report.ranking_view import RankingView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST_PAIRS = 3


def first_scores_told(shown: RankingView) -> str:
    rows = first_rows(shown.named, 5)
    said = ", ".join(f"{name} {score:.3g}" for name, score in zip(rows["perturbation"], rows["score"], strict=True))
    return f"{shown.unit} of the first: {said}"


def printed_first(shown: RankingView) -> "Figure":
    return print_ranking.ranked_scores(shown.named, shown.axis, shown.truths, simulated=shown.simulated)


def grid_of(shown: RankingView, scale: Scale) -> PairGrid | None:
    """Every pair by its two names; None where there are too few to draw, or several contexts."""
    if shown.many_contexts:
        return None
    parts = [shown.conditions[label].parts for label in shown.table["perturbation"] if label in shown.conditions]
    if len(parts) < FEWEST_PAIRS or len(parts) != len(shown.table) or any(len(one) != 2 for one in parts):
        return None
    values = shown.table["score"]
    if scale == "interaction" and not shown.goal.record.share_of_sum:
        values = shown.table[interaction_column(shown)]
    names = [(one.label, other.label) for one, other in parts]
    return pair_grid(names, values.to_numpy(np.float64).tolist(), shown.measured.tolist())


def interaction_column(shown: RankingView) -> str:
    """Against the parts as they were measured; against the predicted ones only where none was measured alone."""
    return "magnitude" if shown.table["magnitude"].notna().any() else "predicted_magnitude"


def scale_of(shown: RankingView, *, by_interaction: bool = False) -> Scale:
    """What the colours of the heat map mean: as asked for, and as the scores are."""
    if shown.goal.record.share_of_sum or by_interaction:
        return "interaction"
    return "signed" if (shown.table["score"] < 0).any() and shown.goal.record.larger_is_better else "score"


def printed_pairs(shown: RankingView, grid: PairGrid, scale: Scale) -> "Figure":
    return print_pairs.heat_map(
        grid, title_of(shown, scale), scale, simulated=shown.simulated,
        smaller_is_better=not shown.goal.record.larger_is_better,
    )  # fmt: skip


def title_of(shown: RankingView, scale: Scale) -> str:
    said = INTERACTION if scale == "interaction" else shown.axis
    return f"{said[:1].upper()}{said[1:]}"
