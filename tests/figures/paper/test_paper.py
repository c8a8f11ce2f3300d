"""Printed figures: the same words as on the screen, the same bytes each time, nothing from a file obeyed."""

import subprocess
import sys
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from primeflow_core.figures.interactive.agreement import BoundedMeasure
from primeflow_core.figures.interactive.maps import Outline
from primeflow_core.figures.paper import agreement, expression, genes, interaction, maps
from primeflow_core.figures.paper.paper import MOST_MARKS, literal, png, svg
from primeflow_core.figures.style import STYLES, Group, Role

NAME = "<script>$a_b$--></script>\x00"
POINTS = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, -1.0]])
GROUPS = [Group(role, POINTS + i) for i, role in enumerate(Role)]
AXES = ("PC 1 (10% of variance)", "PC 2 (5% of variance)")
TABLE = pd.DataFrame(
    {
        "gene": [NAME, "B"],
        "predicted_change": [1.0, -1.0],
        "predicted_p": [1e-9, 0.5],
        "measured_change": [0.5, 0.1],
        "measured_p": [1e-9, 0.5],
    }
)
RANGES = [
    BoundedMeasure(NAME, 0.3, 0.5, 0.1, baselines=((NAME, 0.2), ("Ridge", 9.0))),
    BoundedMeasure("RMSE", 1, 2, 2, tells_apart=False, baselines=(("Ridge", 1.0),)),
]
CELLS = {role: np.array([0.0, 0.0, 1.0, 2.0, 2.5]) for role in Role}
DOTS = pd.DataFrame(
    [(NAME, "A", "measured", 1.0, 50.0, 1.0), ("B", NAME, "control", 0.0, 0.0, 0.0)],
    columns=["gene", "condition", "role", "mean", "percent", "change"],
)
FIGURES: dict[str, Callable] = {
    "map": lambda: maps.overlay(GROUPS, AXES, simulated=False, outlines=[Outline(NAME, POINTS)]),
    "maps": lambda: maps.many_maps([(NAME, GROUPS)] * 5, AXES, simulated=False),
    "bars": lambda: genes.ranked_bars(TABLE, simulated=False),
    "volcano": lambda: genes.volcano(TABLE, "predicted", simulated=False, least_change=0.25, largest_p=0.05),
    "agreement": lambda: agreement.agreement_ranges(RANGES),
    "entries": lambda: agreement.agreement_of_entries([(NAME, RANGES), ("B", RANGES)]),
    "violins": lambda: expression.violins({NAME: CELLS, "B": CELLS}, simulated=False),
    "dots": lambda: expression.dot_plot(DOTS, simulated=False),
    "changed dots": lambda: expression.dot_plot(DOTS, simulated=False, value="change"),
    "interaction": lambda: interaction.interaction_scatter(
        [NAME, "B", "C"], POINTS[:, 0], POINTS[:, 1], role=Role.PREDICTED, simulated=False
    ),
}


def words(figure) -> list[str]:
    from matplotlib.text import Text

    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_same_bytes_each_time(name):
    first, second = svg(FIGURES[name]()), svg(FIGURES[name]())
    assert first == second


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_one_svg_without_scripts_or_addresses(name):
    drawn = svg(FIGURES[name]())
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    for element in root.iter():
        assert "script" not in element.tag
        for attribute, value in element.attrib.items():
            assert not attribute.startswith("on")
            if attribute.endswith("href"):
                assert value.startswith(("#", "data:image/png;base64,"))
    assert "<script" not in drawn
    assert "!DOCTYPE" not in drawn


def test_a_png_is_as_large_as_asked_and_the_same_each_time():
    data = png(FIGURES["bars"](), dpi=100)
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20]) == 520
    assert data == png(FIGURES["bars"](), dpi=100)


@pytest.mark.parametrize("name", ["a$b$c", "$", r"\$x$", "a$b", "$x^2$ and $y$"])
def test_a_name_with_dollars_is_no_formula(name):
    from matplotlib.text import Text

    shown, formula = Text(text=literal(name))._preprocess_math(literal(name))
    assert (shown, formula) == (name, False)


def test_what_cannot_be_printed_is_a_blank():
    assert literal("a\x00b\nc") == "a b c"


def test_simulated_cells_are_never_called_measured():
    for figure in (
        maps.overlay(GROUPS, AXES, simulated=True),
        genes.ranked_bars(TABLE, simulated=True),
        genes.volcano(TABLE, "measured", simulated=True, least_change=0.25, largest_p=0.05),
        expression.violins({"B": CELLS}, simulated=True),
        expression.dot_plot(DOTS, simulated=True),
    ):
        said = words(figure)
        assert not any("easured" in text for text in said)
        assert any("imulated" in text for text in said)


def test_a_map_names_roles_numbers_and_axes():
    said = words(maps.overlay(GROUPS, AXES, simulated=False))
    assert {"Control · 3", "Measured · 3", "Predicted · 3", *AXES} <= set(said)


def test_marks_keep_shape_and_colour():
    lines = genes.ranked_bars(TABLE, simulated=False).axes[0].get_lines()
    looks = {line.get_label(): (line.get_marker(), line.get_markerfacecolor()) for line in lines}
    assert looks["Measured"] == ("o", STYLES[Role.MEASURED].colour)
    assert looks["Predicted"] == ("D", STYLES[Role.PREDICTED].colour)


def test_violins_say_the_share_of_cells_above_zero():
    (plot,) = expression.violins({"B": CELLS}, simulated=False).axes
    assert [label.get_text() for label in plot.get_xticklabels()] == ["60 %\n> 0"] * 3


def test_many_cells_become_a_picture_inside_the_svg():
    few, many = (Group(Role.CONTROL, np.random.default_rng(0).random((n, 2))) for n in (MOST_MARKS, 10 * MOST_MARKS))
    assert "<image" not in svg(maps.overlay([few], AXES, simulated=False))
    drawn = svg(maps.overlay([many], AXES, simulated=False))
    assert "<image" in drawn
    assert len(drawn) < 1_000_000


def test_printing_is_imported_without_matplotlib_and_never_starts_pyplot():
    program = (
        "import sys\n"
        "from primeflow_core.figures.paper import agreement, expression, genes, interaction, maps, paper\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from primeflow_core.figures.interactive.agreement import BoundedMeasure\n"
        "paper.svg(agreement.agreement_ranges([BoundedMeasure('MMD', 1, 0, 2)]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=240)
