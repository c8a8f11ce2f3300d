"""The report: one file that runs and fetches nothing, with every text escaped and every figure described."""

import base64
import io
import itertools
import json
import re
import zipfile
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from primeflow_core.report.finding import Table
from primeflow_core.report.html_report import ROWS_SHOWN, html_report
from primeflow_core.report.stylesheet import CSS
from primeflow_core.report.zip_bundle import bundle, safe_name, tables_csv
from tests.pinned import SVG, finding, origin

MADE = "21 November 2026"
EVIL = '<script>alert(1)</script>"\' onload="x'
VOID = {"meta", "img", "br", "link", "input"}


class Parsed(HTMLParser):
    """Elements with their attributes, and whether every one that opens closes again."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def parsed(*findings, title: str = "Lab meeting", address: str = "") -> Parsed:
    return Parsed(html_report(title, findings, MADE, address))


def test_nothing_runs_and_nothing_is_fetched():
    page = parsed(finding(), finding("2"), address="http://127.0.0.1:8501")
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not page.all("script")
    assert not page.all("link")
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert {image["src"].partition(",")[0] for image in page.all("img")} == {"data:image/svg+xml;base64"}
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_text_from_files_and_people_is_only_text():
    wicked = Table(EVIL, pd.DataFrame({EVIL: [EVIL], "n": [1.0]}))
    found = replace(finding(EVIL, f"explore?a={EVIL}", labels=(EVIL,), note=EVIL), tables=(wicked,))
    found = replace(found, figures=(replace(found.figures[0], title=EVIL, alt=EVIL),))
    page = parsed(found, title=EVIL, address="http://127.0.0.1:8501")
    assert not page.all("script")
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert page.all("img")[0]["alt"] == EVIL


def test_the_figures_are_whole_and_described():
    image = parsed(finding()).all("img")[0]
    assert base64.b64decode(image["src"].partition(",")[2]).decode() == SVG
    assert image["alt"] == "Predicted cells lie over the measured ones"


def test_headings_follow_each_other_and_tables_have_heads():
    page = parsed(finding(note="n"), finding("2"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(head["scope"] in ("col", "row") for head in page.all("th"))
    assert page.all("html")[0]["lang"] == "en"
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert sorted(ids) == ["finding-1", "finding-2"]


def test_labels_have_words_and_shapes():
    text = html_report("t", [finding(labels=("PREDICTED 200 cells", "SIMULATED data", "A guess"))], MADE)
    assert re.search(r'class="label predicted"><svg[^>]*><path d="M7 0l7 7-7 7-7-7z"/></svg>PREDICTED 200 cells', text)
    assert re.search(r'class="label simulated"><svg[^>]*><path[^>]*/></svg>SIMULATED data<', text)
    assert 'class="label other">A guess' in text


def test_long_tables_are_cut_and_say_so():
    text = html_report("t", [finding()], MADE)
    assert f"the first {ROWS_SHOWN} of 20 rows, the rest is in the csv" in text
    assert ">G14<" in text
    assert ">G15<" not in text
    assert "<td>yes</td>" in text
    assert "<td>no</td>" in text
    assert "<td>–</td>" in text


def test_simulated_tables_never_say_measured():
    text = html_report("t", [finding(origins=(origin(dataset="simulated-screen", simulated=True),))], MADE)
    assert "Simulated change (log2, log-normalised)" in text
    assert "Measured change (log2" not in text


def test_provenance_is_told_once_for_each_origin():
    text = html_report("t", [finding(), finding("2")], MADE)
    assert text.count('<th scope="row">Data sha256</th>') == 1
    assert "euler, 100 steps, guidance 1, seed 7" in text


@pytest.mark.parametrize(("address", "links"), [("http://127.0.0.1:8501/", 1), ("javascript:alert(1)//", 0), ("", 0)])
def test_links_lead_to_the_app_only(address, links):
    views = [link["href"] for link in parsed(finding(), address=address).all("a")]
    assert views == ["http://127.0.0.1:8501/explore?model=k562-pairs&a=A&b=B"][:links]


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2 between two colours such as ``#18222E``."""
    lights = []
    for colour in (first, second):
        values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_every_text_stands_out():
    schemes = [dict(re.findall(r"--([a-z-]+): (#[0-9A-F]{6})", part)) for part in CSS.split("prefers-color-scheme")]
    assert len(schemes) == 2
    for colours in schemes:
        for name in ("predicted", "truth", "simulated", "other"):
            assert contrast(colours[name], colours[f"{name}-ground"]) >= 4.5
        for name in ("text", "quiet", "link"):
            assert contrast(colours[name], colours["ground"]) >= 4.5


def test_the_tidy_table_holds_every_row():
    read = pd.read_csv(io.StringIO(tables_csv([finding(), finding("2")])))
    assert list(read.columns[:3]) == ["finding", "take_home", "table"]
    assert len(read) == 40
    assert set(read["finding"]) == {1, 2}
    assert read.loc[read["finding"] == 2, "measured_change"].tolist() == pytest.approx(
        [0.5 - i / 10 for i in range(20)]
    )
    assert tables_csv([]) == "finding,take_home,table\n"


def test_the_bundle_is_whole_and_always_the_same():
    findings = [finding(), replace(finding("2"), tables=(replace(finding().tables[0], name="../../etc/a"),) * 2)]
    packed = bundle("t", findings, MADE)
    assert packed == bundle("t", findings, MADE)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == [
            "report.html", "methods.txt", "provenance.json",
            "tables/1-1-Genes_that_change.csv", "tables/2-1-etc_a.csv", "tables/2-2-etc_a.csv",
        ]  # fmt: skip
        told = json.loads(archive.read("provenance.json"))
        assert len(archive.read("tables/1-1-Genes_that_change.csv").splitlines()) == 21
    assert told["findings"][0]["origins"][0]["model"] == "k562-pairs"
    assert told["findings"][0]["link"] == "explore?model=k562-pairs&a=A&b=B"


@pytest.mark.parametrize(
    ("name", "safe"), [("KLF1+MAP2K6", "KLF1+MAP2K6"), ("../x", "x"), ("…", "table"), ("CON:a", "CON_a"), ("é b", "b")]
)
def test_file_names_are_taken_by_any_system(name, safe):
    assert safe_name(name) == safe
