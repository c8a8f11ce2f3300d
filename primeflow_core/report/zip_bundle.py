"""Everything of a report in one zip: the report, its methods, every table whole, and its provenance as JSON."""

import io
import json
import re
import zipfile
from collections.abc import Sequence

import pandas as pd

from primeflow_core.report.finding import Finding
from primeflow_core.report.html_report import html_report
from primeflow_core.report.methods_text import methods_paragraph
from primeflow_core.runtime.provenance import versions

LONGEST_NAME = 60
# The oldest that a zip can hold: the same findings give the same bytes whenever they are packed.
_DATE = (1980, 1, 1, 0, 0, 0)


def tables_csv(findings: Sequence[Finding]) -> str:
    """All tables in one text, each with the number and title of its finding and its own name as heading."""
    frames = []
    for number, finding in enumerate(findings, start=1):
        for table in finding.tables:
            led = table.frame.copy()
            led.insert(0, "finding", number, allow_duplicates=True)
            led.insert(1, "take_home", finding.title, allow_duplicates=True)
            led.insert(2, "table", table.name, allow_duplicates=True)
            frames.append(led)
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["finding", "take_home", "table"])
    return str(whole.to_csv(index=False))


def bundle(title: str, findings: Sequence[Finding], made: str, address: str = "") -> bytes:
    """A zip of report.html, methods.txt, tables/*.csv and provenance.json; the same bytes for the same findings."""
    files = {
        "report.html": html_report(title, findings, made, address),
        "methods.txt": methods_paragraph(findings) + "\n",
        "provenance.json": provenance_json(findings),
    }
    for number, finding in enumerate(findings, start=1):
        for place, table in enumerate(finding.tables, start=1):
            files[f"tables/{number}-{place}-{safe_name(table.name)}.csv"] = str(table.frame.to_csv(index=False))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, text.encode())
    return packed.getvalue()


def provenance_json(findings: Sequence[Finding]) -> str:
    """The title, labels, link, note and origin of each finding, and the versions of the software."""
    told = [
        {
            "title": finding.title,
            "kind": finding.kind,
            "labels": list(finding.labels),
            "link": finding.link,
            "note": finding.note,
            "origins": [origin.record() for origin in finding.origins],
        }
        for finding in findings
    ]
    return json.dumps({"findings": told, "versions": versions()}, indent=1, ensure_ascii=False) + "\n"


def safe_name(text: str) -> str:
    """A name for a file on any system: letters, digits, ``+``, ``-`` and ``_``; never a folder, never empty."""
    return re.sub(r"[^A-Za-z0-9+-]+", "_", text).strip("_-")[:LONGEST_NAME] or "table"
