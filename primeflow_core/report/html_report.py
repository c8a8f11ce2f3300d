"""A report of findings as one HTML file that opens anywhere, offline: nothing in it runs, and nothing is fetched.

Figures are data of the page itself, so that their names never meet; the page forbids everything else by its own
content security policy. Text is escaped wherever it comes from.
"""

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from primeflow_core import __version__
from primeflow_core.report.content_policy import POLICY
from primeflow_core.report.finding import SIMULATED_DATA, Finding, LabelRole, SavedFigure, Table, mark_of
from primeflow_core.report.methods_text import methods_paragraph
from primeflow_core.report.origin import Origin
from primeflow_core.report.stylesheet import CSS
from primeflow_core.wording import counted

ROWS_SHOWN = 15
SHAPES = {
    LabelRole.PREDICTED: '<path d="M7 0l7 7-7 7-7-7z"/>',
    LabelRole.TRUTH: '<circle cx="7" cy="7" r="6"/>',
    LabelRole.SIMULATED: '<path d="M7 1l6.5 12H.5z"/>',
}


def html_report(title: str, findings: Sequence[Finding], made: str, address: str = "") -> str:
    """The file's text. ``made`` is the day in words; ``address`` that of the app, for links back to each view."""
    body = [
        f"<header><h1>{escape(title)}</h1>",
        f'<p class="quiet">{counted(len(findings), "finding")} · PRiMeFlow {__version__} · {escape(made)}</p>',
        _key(findings),
        _contents(findings),
        "</header><main>",
        *(_article(number, finding, address) for number, finding in enumerate(findings, start=1)),
        _methods(findings),
        _sources(findings),
        "</main>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _key(findings: Sequence[Finding]) -> str:
    """The legend of the marks that the findings use, before the first finding."""
    told = {
        LabelRole.PREDICTED: "PREDICTED by a model",
        LabelRole.TRUTH: "MEASURED in an experiment",
        LabelRole.SIMULATED: f"{SIMULATED_DATA}: made by a program, not measured",
    }
    used = {mark_of(label) for finding in findings for label in finding.labels}
    return _labels([text for mark, text in told.items() if mark in used], "What the marks mean")


def _labels(labels: Sequence[str], name: str) -> str:
    items = "".join(f"<li>{_label(label)}</li>" for label in labels)
    return f'<ul class="labels" aria-label="{escape(name)}">{items}</ul>' if labels else ""


def _label(label: str) -> str:
    mark = mark_of(label)
    drawn = f'<svg viewBox="0 0 14 14" aria-hidden="true">{SHAPES[mark]}</svg>' if mark in SHAPES else ""
    return f'<span class="label {mark}">{drawn}{escape(label)}</span>'


def _contents(findings: Sequence[Finding]) -> str:
    if len(findings) < 2:
        return ""
    links = "".join(
        f'<li><a href="#finding-{number}">{escape(finding.title)}</a></li>'
        for number, finding in enumerate(findings, start=1)
    )
    return f'<nav aria-label="Findings"><ol>{links}</ol></nav>'


def _article(number: int, finding: Finding, address: str) -> str:
    parts = [
        f'<article id="finding-{number}"><h2>{number}. {escape(finding.title)}</h2>',
        _labels(finding.labels, "What is shown"),
        *(_figure(drawn) for drawn in finding.figures),
        *(_table(table, number, simulated=finding.simulated) for table in finding.tables),
    ]
    if finding.note.strip():
        parts.append(f'<h3>Note</h3><p class="note">{escape(finding.note.strip())}</p>')
    if address.startswith(("http://", "https://")):
        view = escape(f"{address.rstrip('/')}/{finding.link.lstrip('/')}")
        parts.append(f'<p><a href="{view}" rel="noreferrer">Open this view in the app</a></p>')
    return "\n".join([*parts, "</article>"])


def _figure(drawn: SavedFigure) -> str:
    packed = base64.b64encode(drawn.svg.encode()).decode()
    return (
        f'<figure><img src="data:image/svg+xml;base64,{packed}" alt="{escape(drawn.alt)}">'
        f"<figcaption>{escape(drawn.title)}</figcaption></figure>"
    )


def _table(table: Table, number: int, *, simulated: bool) -> str:
    frame = table.frame.head(ROWS_SHOWN)
    shown = f"the first {len(frame)} of {len(table.frame):,} rows, the rest is in the csv"
    caption = f"{table.name}: {shown if len(frame) < len(table.frame) else counted(len(frame), 'row')}"
    numeric = [_is_numeric(frame[column]) for column in frame.columns]
    heads = "".join(
        f'<th scope="col"{_class(right)}>{escape(table.heading(str(column), simulated=simulated))}</th>'
        for column, right in zip(frame.columns, numeric, strict=True)
    )
    rows = "".join(_row(values, numeric) for values in frame.itertuples(index=False, name=None))
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(table.name)} of finding {number}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(values: Sequence[Any], numeric: Sequence[bool]) -> str:
    """The first column names the row."""
    cells = []
    for place, (value, right) in enumerate(zip(values, numeric, strict=True)):
        tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
        cells.append(f"<{tag}{scope}{_class(right)}>{escape(_value(value))}</{tag}>")
    return f"<tr>{''.join(cells)}</tr>"


def _class(right: bool) -> str:
    return ' class="number"' if right else ""


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _value(value: Any) -> str:
    if pd.isna(value):
        return "–"
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if pd.api.types.is_integer(value):
        return f"{value:,}"
    return f"{value:.3g}" if pd.api.types.is_float(value) else str(value)


def _methods(findings: Sequence[Finding]) -> str:
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in methods_paragraph(findings).split("\n\n"))
    return f'<section class="methods"><h2>Methods</h2>{paragraphs}</section>'


def _sources(findings: Sequence[Finding]) -> str:
    origins = dict.fromkeys(origin for finding in findings for origin in finding.origins)
    if not origins:
        return ""
    tables = "".join(_facts(origin) for origin in origins)
    return f'<section class="sources"><h2>Where the numbers come from</h2>{tables}</section>'


def _facts(origin: Origin) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in facts(origin)
        if value
    )
    caption = f"<caption>{escape(origin.place)}</caption>"
    return f'<table class="facts">{caption}<tbody>{rows}</tbody></table>'


def facts(origin: Origin) -> list[tuple[str, str]]:
    """The facts of an origin as pairs of name and text, for people to read."""
    manifest, dataset, plan = origin.manifest, origin.dataset, origin.plan
    truth = "SIMULATED cells" if manifest.simulated else "MEASURED cells"
    held_out = "held out of training" if origin.held_out else ""
    sampling = (
        f"{plan.way}, guidance {plan.guidance:g}, seed {plan.seed}, zeros {plan.zeros}, precision {plan.precision}"
        if plan
        else ""
    )
    return [
        ("PREDICTED cells", f"{origin.predicted:,}" if plan else ""),
        (truth, f"{origin.measured:,}{f' of {origin.measured_in}' if origin.measured_in else ''}"),
        ("How new to the model", ", ".join(filter(None, (str(origin.novelty), held_out)))),
        ("Model", f"{manifest.name}, recipe {manifest.recipe}, made {origin.day}, training seed {manifest.seed}"),
        ("Data set", f"{manifest.dataset}{' (SIMULATED)' if manifest.simulated else ''}"),
        ("Citation", dataset.citation if dataset else ""),
        ("Licence", dataset.licence if dataset else ""),
        ("Data sha256", manifest.data_sha256),
        ("Split sha256", origin.split_sha256),
        ("Sampling", sampling),
        ("Trained with", _versions(manifest.provenance.get("versions", {}))),
    ]


def _versions(known: Any) -> str:
    return ", ".join(f"{name} {version}" for name, version in known.items()) if isinstance(known, dict) else ""
