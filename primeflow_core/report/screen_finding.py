"""A table that the command screen wrote, as the page Rank combinations shows it."""

from urllib.parse import urlencode

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import DataError
from primeflow_core.model_store.local_models import Model
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.report.finding import Finding
from primeflow_core.report.ranking_figures import scale_of
from primeflow_core.report.ranking_finding import ranking_finding
from primeflow_core.report.ranking_link import address_of
from primeflow_core.report.ranking_view import RankingView
from primeflow_core.screening.candidates import LABEL, Asked, listed
from primeflow_core.screening.screen_file import Screen
from primeflow_core.screening.screen_spec import weights_of

NOUNS, LISTED = {1: "perturbations", 2: "pairs"}, "candidates"
"""What candidates of one and of two parts are called, and others."""

USUAL = {"seed": "0", "w": "1"}
"""What the page leaves out of its address."""


def screen_view(screen: Screen, model: Model) -> RankingView:
    """The ranking of a file. Raises DataError where it is empty, or another model made it."""
    if screen.table.empty:
        raise DataError("it ranks nothing")
    if screen.about["order"]["weights"] != weights_of(model.folder):
        raise DataError(f"it was made by other weights ({screen.about['model']}) than those of {model.folder}")
    candidates = _candidates(screen, model)
    sizes = {len(one.perturbations) for one in candidates}
    noun = NOUNS.get(sizes.pop(), LISTED) if len(sizes) == 1 else LISTED
    plan = SamplingPlan(**screen.about["order"]["plan"])
    return RankingView(model, screen, len(screen.table), int(screen.about["candidates"]), noun, candidates, plan)


def screen_finding(screen: Screen, model: Model) -> Finding:
    """Raises DataError as ``screen_view``."""
    shown = screen_view(screen, model)
    said = {name: text for name, text in address_of(screen).items() if USUAL.get(name) != text}
    return ranking_finding(shown, f"screen?{urlencode({'model': model.key, **said})}", scale_of(shown))


def _candidates(screen: Screen, model: Model) -> tuple[Condition, ...]:
    """In the order of the table, as many as the model still knows."""
    rows = screen.table[[LABEL, *screen.covariates]].itertuples(index=False, name=None)
    asked = [Asked(label, tuple(zip(screen.covariates, map(str, values), strict=True))) for label, *values in rows]
    return listed(model.manifest, asked, [one.covariates for one in asked[:1]]).conditions
