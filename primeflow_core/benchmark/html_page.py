"""The table of a benchmark with a figure for each metric, as one HTML file that works offline."""

import base64
from collections.abc import Sequence
from html import escape

import pandas as pd

from primeflow_core import __version__
from primeflow_core.benchmark.leaderboard import BOLD, figure
from primeflow_core.benchmark.metric_table import EXPLAINED, metric_table
from primeflow_core.benchmark.standings import Standings
from primeflow_core.benchmark.summary_text import verdict
from primeflow_core.evaluation.metric import Metric
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.figures.paper.benchmark import metric_of_models
from primeflow_core.figures.paper.paper import svg
from primeflow_core.report.content_policy import POLICY
from primeflow_core.report.stylesheet import CSS


def html_page(title: str, table: pd.DataFrame, found: Standings, *, notes: Sequence[str] = (), simulated: bool) -> str:
    """``table`` from leaderboard.leaderboard, ``found`` its standings, ``notes`` to read first. All text is escaped."""
    shown = [metric for metric in all_metrics() if metric.name in table]
    figures = "".join(_figure(found, metric, simulated=simulated) for metric in shown)
    said = "".join(f"{escape(note)} " for note in notes)
    summary = "".join(f"<p>{escape(sentence)}</p>" for sentence in verdict(found, [metric.name for metric in shown]))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1><p class="quiet">{said}Mean ± standard deviation over trainings of the mean '
        f"over held-out conditions. PRiMeFlow {__version__}.</p></header><main>\n<section>{summary}</section>\n"
        f"{_table(table, found, shown)}\n{_what_they_tell(found, shown)}{figures}"
        "</main></body></html>\n"
    )


def _table(table: pd.DataFrame, found: Standings, metrics: Sequence[Metric]) -> str:
    names = [metric.name for metric in metrics]
    leading = found.leaders(names)
    heads = "".join(_heading(metric, found) for metric in metrics)
    body = []
    for number, (_, row) in enumerate(table.iterrows()):
        cells = [f"<td>{escape(str(row['model']))}</td>"]
        cells += [f'<td class="number">{_plain(row[name])}</td>' for name in ("guidance", "seeds", "conditions")]
        for name in names:
            text = escape(figure(row, name).text)
            shown = f"<strong>{text}</strong>" if number in leading.get(name, ()) else text
            cells.append(f'<td class="{_look(name, found)}">{shown}</td>')
        body.append("<tr>" + "".join(cells) + "</tr>")
    first = "".join(f'<th class="number">{name}</th>' for name in ("Guidance", "Trainings", "Conditions"))
    return (
        f'<div class="wide" tabindex="0"><table><caption>{BOLD} Grey: the metric cannot tell on these data.</caption>'
        f"<thead><tr><th>Model</th>{first}{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _heading(metric: Metric, found: Standings) -> str:
    silent = "" if found.can_tell(metric.name) else ", cannot tell"
    return f'<th class="{_look(metric.name, found)}">{escape(metric.title)}{silent}</th>'


def _look(name: str, found: Standings) -> str:
    return "number" if found.can_tell(name) else "number quiet"


def _what_they_tell(found: Standings, metrics: Sequence[Metric]) -> str:
    table = metric_table(found, [metric.name for metric in metrics])
    if table.empty:
        return ""
    heads = "".join(f"<th>{escape(str(name))}</th>" for name in table)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in row)}</tr>"
        for row in table.itertuples(index=False)
    )
    return (
        f'<section><h2>What each metric can tell</h2><div class="wide" tabindex="0"><table><caption>'
        f"{escape(EXPLAINED)}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _figure(found: Standings, metric: Metric, *, simulated: bool) -> str:
    drawing = metric_of_models(found.rows, metric.name, metric.label, simulated=simulated)
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
