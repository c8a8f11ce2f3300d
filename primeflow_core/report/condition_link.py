"""The address of the page Explore at which a question about one condition is shown."""

from urllib.parse import urlencode

from primeflow_core.model_store.local_models import Model
from primeflow_core.prediction.prediction_job import PredictionRequest

BOXES = ("a", "b", "c")
"""The parameters that name the parts of a condition, in order."""


def condition_link(model: Model, question: PredictionRequest, usual_cells: int) -> str:
    """Page and query; what is as the page opens it is left out. ``usual_cells``: those that the page asks for."""
    condition, plan = question.condition, question.plan
    said = {"model": model.key, "context": condition.context}
    for box, part in zip(BOXES, condition.perturbations, strict=False):
        said[box] = part.name
        said[f"dose_{box}"] = "" if part.dose is None else f"{part.dose:g}"
    said["w"] = f"{plan.guidance:g}" if plan.guidance != 1 else ""
    said["cells"] = str(question.cells) if question.cells != usual_cells else ""
    said["seed"] = str(plan.seed) if plan.seed else ""
    return f"explore?{urlencode({name: value for name, value in said.items() if value})}"
