"""The table of a benchmark with a figure for each metric, as one HTML file that works offline."""

import base64
from collections.abc import Sequence
from html import escape

import pandas as pd

from primeflow_core import __version__
from primeflow_core.benchmark.leaderboard import best, figure
from primeflow_core.evaluation.metric import Metric
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.figures.paper.benchmark import metric_of_models
from primeflow_core.figures.paper.paper import svg
from primeflow_core.report.content_policy import POLICY
from primeflow_core.report.stylesheet import CSS


def html_page(
    title: str, table: pd.DataFrame, rows: pd.DataFrame, *, notes: Sequence[str] = (), simulated: bool
) -> str:
    """``table`` from leaderboard.leaderboard, ``rows`` of the compared conditions, ``notes`` to read first. All text is
    escaped."""
    shown = [metric for metric in all_metrics() if metric.name in table]
    figures = "".join(_figure(rows, metric, simulated=simulated) for metric in shown)
    said = "".join(f"{escape(note)} " for note in notes)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1><p class="quiet">{said}Mean ± standard deviation over trainings of the mean '
        f"over held-out conditions. PRiMeFlow {__version__}.</p></header><main>\n{_table(table, shown)}\n{figures}"
        "</main></body></html>\n"
    )


def _table(table: pd.DataFrame, metrics: Sequence[Metric]) -> str:
    names = [metric.name for metric in metrics]
    leading = {name: best(table, name) for name in names}
    heads = "".join(f'<th class="number">{escape(metric.title)}</th>' for metric in metrics)
    body = []
    for number, row in table.iterrows():
        cells = [f"<td>{escape(str(row['model']))}</td>"]
        cells += [f'<td class="number">{_plain(row[name])}</td>' for name in ("guidance", "seeds", "conditions")]
        for name in names:
            text = escape(figure(row, name).text)
            cells.append(f'<td class="number">{f"<strong>{text}</strong>" if number in leading[name] else text}</td>')
        body.append("<tr>" + "".join(cells) + "</tr>")
    first = "".join(f'<th class="number">{name}</th>' for name in ("Guidance", "Trainings", "Conditions"))
    return (
        '<div class="wide" tabindex="0"><table><caption>Bold: the best, and all within one standard deviation of it.'
        f"</caption><thead><tr><th>Model</th>{first}{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _figure(rows: pd.DataFrame, metric: Metric, *, simulated: bool) -> str:
    drawing = metric_of_models(rows, metric.name, metric.label, simulated=simulated)
    drawn = base64.b64encode(svg(drawing).encode()).decode()
    alt = f"{metric.label} of every model; the table above has the numbers."
    return (
        f'<section><h2>{escape(metric.label)}</h2><figure><img alt="{escape(alt)}" '
        f'src="data:image/svg+xml;base64,{drawn}">'
        f"<figcaption>{escape(metric.question)} A number with an arrow is the mean of a model that lies outside the "
        "figure.</figcaption></figure></section>"
    )


def _plain(value: float) -> str:
    return "" if pd.isna(value) else f"{value:g}"
