"""Findings: what counts as the same one, what a label is about, and which figures are refused."""

from dataclasses import replace

import pytest

from primeflow_core.data.conditions import Novelty
from primeflow_core.errors import DataError
from primeflow_core.report.finding import LabelRole, SavedFigure, Table, mark_of
from tests.pinned import OTHER_PAIR, SVG, finding, origin, table
from tests.tiny import condition


def test_the_same_view_with_the_same_words_is_the_same_finding():
    first = finding()
    assert replace(first, note="later", figures=()).id == first.id
    assert replace(first, title="Another sentence.").id != first.id
    assert replace(first, link="explore?a=A").id != first.id


@pytest.mark.parametrize(
    ("label", "mark"),
    [
        ("PREDICTED 200 cells", LabelRole.PREDICTED),
        ("MEASURED 97 cells, held out", LabelRole.TRUTH),
        ("SIMULATED 60 cells", LabelRole.TRUTH),
        ("SIMULATED data", LabelRole.SIMULATED),
        ("Predicted to be a guess", LabelRole.OTHER),
        ("", LabelRole.OTHER),
    ],
)
def test_what_a_label_is_about(label, mark):
    assert mark_of(label) is mark


def test_columns_have_words_and_units():
    named = Table("t", table().frame, {"gene": "Gene symbol"})
    assert named.heading("gene", simulated=True) == "Gene symbol"
    assert named.heading("measured_change") == "Measured change (log2, log-normalised)"
    assert named.heading("measured_change", simulated=True) == "Simulated change (log2, log-normalised)"
    assert named.heading("own_column") == "own column"


def test_a_finding_knows_what_it_takes():
    small = finding()
    assert replace(small, figures=small.figures * 3).nbytes - small.nbytes == 2 * (len(SVG) + len(small.figures[0].alt))
    assert small.nbytes > small.tables[0].nbytes > 0


def test_an_origin_says_how_new_the_condition_is():
    assert origin().held_out
    assert origin(OTHER_PAIR).novelty is Novelty.PARTS_SEEN
    assert not origin(condition("A")).held_out
    assert origin().place == "A+B in k562"
    assert origin().day == "21 November 2026"


def test_an_origins_record_is_enough_to_repeat_it():
    record = origin().record()
    assert record["sampling"]["sampler"] == "euler"
    assert record["sampling"]["seed"] == 7
    assert record["data_sha256"] == "ab12" * 16
    assert record["split_sha256"] == "cd34" * 16
    assert record["cells_measured"] == 97
    assert record["measured_in"] == "perturbench-devel"
    assert origin(plan=None).record()["sampling"] is None


def test_a_drawing_as_printers_make_it_is_taken():
    made = (
        '<?xml version="1.0" encoding="utf-8" standalone="no"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN"\n'
        '  "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n<svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink"><style>*{stroke-linejoin: round}</style><g clip-path="url(#c)">'
        '<use xlink:href="#m"/><image xlink:href="data:image/png;base64,AA=="/></g></svg>'
    )
    assert SavedFigure("Map", made, "").svg == made


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ("<script>1</script>", "<script>"),
        ("<foreignObject/>", "<foreignobject>"),
        ('<g onload="x()"/>', "runs something"),
        ('<image href="https://example.org/a.png"/>', "outside itself"),
        ('<image href="data:text/html,x"/>', "outside itself"),
        ('<a href="javascript:x()"/>', "outside itself"),
        ('<g fill="url(https://example.org/a)"/>', "outside itself"),
        ('<style>@import "a.css"</style>', "style from elsewhere"),
        ("<style>g{fill:url( 'http://a')}</style>", "style from elsewhere"),
        ("<g>", "cannot be read"),
    ],
)
def test_a_figure_that_runs_or_fetches_something_is_refused(inside, told):
    with pytest.raises(DataError, match=told):
        SavedFigure("Map", SVG.replace("</svg>", f"{inside}</svg>"), "")


@pytest.mark.parametrize("text", ["", "no svg", "<html/>", '<!DOCTYPE svg [<!ENTITY a "b">]><svg/>'])
def test_what_is_no_svg_is_refused(text):
    with pytest.raises(DataError, match="'Map'"):
        SavedFigure("Map", text, "")
