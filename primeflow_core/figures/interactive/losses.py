"""The loss curve of a training, as an ECharts option: Plotly would redraw the whole figure at every point."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from primeflow_core.figures.style import FAINT, QUIET

TRAINING = "Training cells"
VALIDATION = "Held-out cells"
VALIDATION_COLOUR = "#009E73"


def loss_curve(steps: Sequence[int], loss: Sequence[float], validation: Sequence[float]) -> dict[str, Any]:
    """The error at each of ``steps`` (n,) on the training cells, and on held-out cells where it is a number.

    Both errors are mean squares without a unit; the axes follow what there is.
    """
    table = pd.DataFrame({"step": steps, "loss": loss, "validation": validation}, dtype=np.float32)
    return {
        "animation": False,
        "legend": {"data": [TRAINING, VALIDATION], "left": 36, "top": 0, "selectedMode": False},
        "grid": {"left": 56, "right": 16, "top": 36, "bottom": 44, "outerBoundsMode": "none"},
        "tooltip": {"trigger": "axis"},
        "toolbox": {"show": False},
        "dataset": [{"source": table[["step", name]].dropna()} for name in ("loss", "validation")],
        "xAxis": _axis("Training step", 26),
        "yAxis": _axis("Error (no unit)", 42) | {"scale": True},
        "series": [
            _line(TRAINING, 0, "loss", {"color": QUIET, "type": "solid", "width": 2}, "circle", 0),
            _line(VALIDATION, 1, "validation", {"color": VALIDATION_COLOUR, "type": "dashed", "width": 2}, "rect", 8),
        ],
    }


def _axis(title: str, gap: int) -> dict[str, Any]:
    return {
        "type": "value",
        "name": title,
        "nameLocation": "middle",
        "nameGap": gap,
        "splitLine": {"lineStyle": {"color": FAINT}},
    }


def _line(name: str, dataset: int, column: str, line: dict[str, Any], symbol: str, size: int) -> dict[str, Any]:
    return {
        "type": "line",
        "name": name,
        "datasetIndex": dataset,
        "encode": {"x": "step", "y": column},
        "lineStyle": line,
        "itemStyle": {"color": line["color"]},
        "symbol": symbol,
        "symbolSize": size,
        "showSymbol": size > 0,
    }
