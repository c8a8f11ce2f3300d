"""The table of a benchmark with a figure for each metric, as one HTML file that works offline."""

import base64
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from primeflow_core import __version__
from primeflow_core.benchmark.common_conditions import SHOWN
from primeflow_core.benchmark.leaderboard import best, figure
from primeflow_core.evaluation.scores import LARGER_IS_BETTER
from primeflow_core.figures.paper.benchmark import metric_of_models
from primeflow_core.figures.paper.paper import svg
from primeflow_core.report.content_policy import POLICY
from primeflow_core.report.stylesheet import CSS

MEANING: Mapping[str, tuple[str, str]] = {
    "cosine_logfc": ("Cosine of log fold changes", "Do the same genes go up and down, whatever the size?"),
    "rmse_mean": ("RMSE of the means", "How far is the mean of each gene, in log-normalised expression?"),
    "mmd_gex": ("MMD GEX", "How far apart are the clouds of cells, over all genes?"),
    "mmd_pca": ("MMD PCA", "The same over 30 principal components."),
    "deg_recall": ("DEG recall", "Share of the 50 genes that change most that the prediction finds."),
    "energy_distance": ("Energy distance, unbiased", "As MMD GEX, without its bias for few cells; can be below 0."),
}


def html_page(
    title: str, table: pd.DataFrame, rows: pd.DataFrame, *, notes: Sequence[str] = (), simulated: bool
) -> str:
    """``table`` from leaderboard.leaderboard, ``rows`` of the compared conditions, ``notes`` to read first. All text is
    escaped."""
    shown = [name for name in SHOWN if name in table]
    figures = "".join(_figure(rows, name, simulated=simulated) for name in shown)
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


def _table(table: pd.DataFrame, names: list[str]) -> str:
    leading = {name: best(table, name) for name in names}
    arrows = {name: "larger is better" if LARGER_IS_BETTER[name] else "smaller is better" for name in names}
    heads = "".join(f'<th class="number">{escape(MEANING[name][0])} ({arrows[name]})</th>' for name in names)
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


def _figure(rows: pd.DataFrame, name: str, *, simulated: bool) -> str:
    title, meaning = MEANING[name]
    drawn = base64.b64encode(svg(metric_of_models(rows, name, title, simulated=simulated)).encode()).decode()
    alt = f"{title} of every model; the table above has the numbers."
    return (
        f'<section><h2>{escape(title)}</h2><figure><img alt="{escape(alt)}" src="data:image/svg+xml;base64,{drawn}">'
        f"<figcaption>{escape(meaning)} A number with an arrow is the mean of a model that lies outside the figure."
        "</figcaption></figure></section>"
    )


def _plain(value: float) -> str:
    return "" if pd.isna(value) else f"{value:g}"
