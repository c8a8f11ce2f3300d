"""Running pages without a browser: opening them, reading what they say, waiting for what they do."""

import json
import time
from functools import cache
from pathlib import Path

import pandas as pd
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

import pages
from pages.parts.shared.view import look_up
from primeflow_core.data.conditions import Condition
from primeflow_core.prediction.prediction_job import PredictionRequest
from tests.app_models import NAME, SHIPPED

ROOT = Path(__file__).resolve().parents[1]
WAIT = 240

# Every AppTest looks for components in all installed packages, which takes longer than most pages.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def opened(script: str = "app.py", **address: str) -> AppTest:
    """``app.py``, or one page by itself, at an address."""
    app = AppTest.from_file(str(ROOT / script), default_timeout=WAIT)
    for key, value in address.items():
        app.query_params[key] = value
    return app.run()


def page(name: str, **address: str) -> AppTest:
    """A page of the app, as a link from another page opens it."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=WAIT)
    app.switch_page(f"pages/{name}.py")
    for key, value in address.items():
        app.query_params[key] = value
    return app.run()


def text_of(app: AppTest) -> str:
    """Everything that is written on the page, without the backslashes of escaped Markdown."""
    kinds = ("header", "subheader", "markdown", "caption", "text", "error", "warning", "info", "success")
    said = "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))
    return said.replace("\\", "").replace("\N{ZERO WIDTH SPACE}", "")


def drawn(app: AppTest, key: str) -> dict:
    """The Plotly figure of that key."""
    specs = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart") if key in chart.proto.id]
    assert len(specs) == 1, f"{len(specs)} figures {key}"
    return specs[0]


def table_with(app: AppTest, column: str) -> pd.DataFrame:
    """The one table that has this column."""
    found = [frame.value for frame in app.dataframe if column in frame.value]
    assert len(found) == 1, f"{len(found)} tables with {column}"
    return found[0]


def mark_of_the_map(condition: Condition) -> str:
    """What a link calls the components of the context of ``condition``, with the cells of the tiny model."""
    model = pages.library().models[NAME]
    question = PredictionRequest(model.folder, model.version, condition, SHIPPED, model.manifest.sampling)
    return look_up(model, question).mark_of("pca")


def labels(app: AppTest, kind: str) -> list[str]:
    return [element.label for element in app.get(kind)]


def until_done(app: AppTest, *keys: str) -> AppTest:
    """Run the page again until no live figure, no progress and none of the buttons ``keys`` is left."""
    limit = time.monotonic() + WAIT
    while (
        app.get("echarts_chart") or app.get("progress") or any(button.key in (*keys, "cancel") for button in app.button)
    ):
        assert time.monotonic() < limit
        time.sleep(0.1)
        app.run()
    return app
