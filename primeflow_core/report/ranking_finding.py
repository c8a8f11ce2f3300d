"""A ranking as a finding for the report: its sentence, figures, tables and methods."""

from functools import partial
from typing import TYPE_CHECKING

from primeflow_core.figures.interactive.pairs import Scale
from primeflow_core.figures.interactive.ranking import first_rows
from primeflow_core.figures.paper.paper import svg
from primeflow_core.report.finding import RANKING, Finding, SavedFigure, Table
from primeflow_core.report.finding_origin import origin_of
from primeflow_core.report.origin import Origin
from primeflow_core.report.ranking_figures import first_scores_told, grid_of, printed_first, printed_pairs, title_of
from primeflow_core.report.ranking_view import RankingView
from primeflow_core.report.ranking_words import COLUMNS, CONTAINS, heading, labels, take_home, without_trust
from primeflow_core.screening.ranking import PERTURBATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

REPORTED = 50
KEPT = (
    "rank", "rank_low", "rank_high", "perturbation", "target", "standing", "score", "low", "high", "measured_score",
    "sum_score", "genes_up", "genes_down", "interaction", "parts",
)  # fmt: skip
METHODS = (
    "{count}{context} {were} ranked by {unit}. Each was predicted as {cells} cells of each of {seeds} noise seeds,"
    " the same for all candidates; intervals are 95 % over {resamples} bootstrap samples of cells and noise seeds, and "
    "candidates are told apart by paired differences. Predicted changes are measured from the control cells of "
    "training, {truth} ones from control cells that training did not use. {trust}"
)


def ranking_finding(shown: RankingView, link: str, scale: Scale) -> Finding:
    """``link``: the page and the query that show the same ranking in the app. Raises DataError for a broken figure."""
    screen = shown.screen
    tables = [reported(shown)]
    if screen.trust is not None:
        tables.append(Table("How far to trust the ranking", screen.trust.table()[list(COLUMNS)], COLUMNS))
    if len(screen.next):
        tables.append(Table("Next experiments", screen.next))
    order = screen.about["order"]
    first = shown.first
    origins: tuple[Origin, ...] = ()
    if first is not None and shown.plan is not None:
        cells = order["cells"] * len(order["seeds"])
        origins = (origin_of(shown.model, first, shown.plan, predicted=cells, measured=0),)
    return Finding(
        f"{heading(shown.goal, shown.noun)} {take_home(shown)}", RANKING, labels(shown),
        tuple(_figures(shown, scale)), tuple(tables), link, origins, methods(shown),
    )  # fmt: skip


def reported(shown: RankingView) -> Table:
    """The first of the ranking with what a meeting asks for; files of the ranking hold every column."""
    truth = shown.truth.capitalize()
    contains = shown.containing.map({True: CONTAINS, False: None})
    kept = list(KEPT)
    if shown.many_contexts:
        kept[kept.index(PERTURBATION) + 1 : kept.index(PERTURBATION) + 1] = shown.screen.covariates
    table = shown.table.assign(measured_score=shown.truths, parts=shown.parts, target=contains)[kept]
    headings = {
        "score": f"Predicted score: {shown.axis}", "low": "Score, 95 % from", "high": "to",
        "measured_score": f"{truth} score", "rank_low": "Rank, 95 % from", "rank_high": "to",
    }  # fmt: skip
    return Table("Ranking", table.dropna(axis=1, how="all").head(REPORTED), headings)


def trust_told(shown: RankingView) -> str:
    trust = shown.screen.trust
    told = " ".join(trust.lines) if trust is not None else without_trust(shown)
    return f"{shown.screen.caution} {told}".strip()


def methods(shown: RankingView) -> str:
    order = shown.screen.about["order"]
    context = ", ".join(filter(None, dict.fromkeys(shown.contexts)))
    return METHODS.format(
        count=shown.counted(shown.done), were="was" if shown.done == 1 else "were",
        context=f" in {context}" if context else "", truth=shown.truth,
        unit=shown.unit, cells=order["cells"], seeds=len(order["seeds"]), resamples=order["resamples"],
        trust=trust_told(shown),
    )  # fmt: skip


def _figures(shown: RankingView, scale: Scale) -> list[SavedFigure]:
    found = []
    if not first_rows(shown.table).empty:
        found.append(_drawn("The first of the ranking", partial(printed_first, shown), first_scores_told(shown)))
    grid = grid_of(shown, scale)
    if grid is not None:
        found.append(_drawn("All pairs", partial(printed_pairs, shown, grid, scale), title_of(shown, scale)))
    return found


def _drawn(title: str, make: "Callable[[], Figure]", alt: str) -> SavedFigure:
    return SavedFigure(title, svg(make()), alt)
