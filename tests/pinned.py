"""Findings of models that are only described: what tests of the notebook, the report and its page pin."""

import pandas as pd

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.data.layout import Layout
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.report.finding import Finding, SavedFigure, Table
from primeflow_core.report.origin import Origin
from tests.tiny import condition

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20">'
    '<defs><circle id="p" r="3"/></defs><use href="#p" x="9" y="9"/><text x="2" y="18">log2 change</text></svg>'
)
TRAINED = (condition(), condition("A"), condition("B"), condition("C"))
PAIR, OTHER_PAIR = condition("A", "B"), condition("B", "C")


def manifest(dataset: str = "perturbench-devel", *, simulated: bool = False) -> Manifest:
    return Manifest(
        "k562-pairs", "2026-11-21T12:00:00+00:00", "unet-tiny", {}, ("G1", "G2"), Vocabulary.from_conditions(TRAINED),
        Layout(), TRAINED, (OTHER_PAIR,), (PAIR,), dataset, "ab12" * 16, simulated, SamplingPlan(), 3, None,
        {"versions": {"torch": "2.0"}},
    )  # fmt: skip


def origin(
    of: Condition = PAIR,
    plan: SamplingPlan | None = SamplingPlan("euler", 100, 1.0, 7),  # noqa: B008, frozen
    *,
    dataset: str = "perturbench-devel",
    measured: int = 97,
    simulated: bool = False,
) -> Origin:
    return Origin(manifest(dataset, simulated=simulated), of, plan, 200, measured, "cd34" * 16)


def table(rows: int = 20) -> Table:
    genes = [f"G{i}" for i in range(rows)]
    changes = [0.5 - i / 10 for i in range(rows)]
    agrees = pd.array([True, False, *[pd.NA] * (rows - 2)], dtype="boolean")
    return Table("Genes that change", pd.DataFrame({"gene": genes, "measured_change": changes, "agrees": agrees}))


def finding(
    title: str = "A and B in k562: the model expects 3 genes up; the experiment agrees on 2 of 3.",
    link: str = "explore?model=k562-pairs&a=A&b=B",
    *,
    labels: tuple[str, ...] = ("PREDICTED 200 cells", "MEASURED 97 cells, held out"),
    origins: tuple[Origin, ...] | None = None,
    note: str = "",
) -> Finding:
    drawn = SavedFigure("Map of the cells", SVG, "Predicted cells lie over the measured ones")
    return Finding(
        title, "response", labels, (drawn,), (table(),), link, (origin(),) if origins is None else origins, note=note
    )  # fmt: skip
