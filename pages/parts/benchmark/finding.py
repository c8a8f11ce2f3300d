"""A benchmark in sentences, as a finding for the report, and as the steps of a presentation."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages import plain
from pages.parts.benchmark.figures import (
    cells_told,
    draw_cells,
    draw_conditions,
    draw_metric,
    grid_of,
    grid_told,
    metric_told,
    named_rows,
    printed_cells,
    printed_grid,
    printed_metric,
)
from pages.parts.benchmark.leaderboard import columns_of, offer_tables
from pages.parts.benchmark.sidebar import SCORES, Choice, read_cells
from pages.parts.shared.labels import show_labels
from pages.parts.shared.pinning import offer_pin
from pages.parts.shared.presenting import Step, offer_presentation
from pages.parts.shared.saving import offer_link, query_of
from primeflow_core.benchmark.about import About
from primeflow_core.benchmark.common_conditions import compared
from primeflow_core.benchmark.difference_table import difference_table
from primeflow_core.benchmark.display_names import PRIMEFLOW
from primeflow_core.benchmark.metric_table import EXPLAINED, metric_table
from primeflow_core.benchmark.read_about import day_of
from primeflow_core.benchmark.results import Results
from primeflow_core.benchmark.summary_text import champion, verdict
from primeflow_core.figures.paper.paper import svg
from primeflow_core.report.finding import SIMULATED_DATA, Finding, SavedFigure, Table
from primeflow_core.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRESENTED_PANEL, PRESENTED_LETTERS = 225, 20
METHODS = (
    "{models} were trained {seeds} each on {data} (sha256 {sha}; split sha256 {split}) and compared on {conditions} of "
    "the {part} part: {held_out}. Up to {cells} cells of each were predicted. Metrics and ranks are PerturBench's "
    "(Wu et al. 2024, arXiv:2408.10609), with the unbiased energy distance in addition. The value of a training is its "
    "mean over conditions. Values are mean ± standard deviation over trainings. {rule}{calibrated}{simulated} "
    "The benchmark was made on {day} by: {command}"
)


def told(choice: Choice) -> list[str]:
    """The sentences at the top of the page."""
    results = choice.results
    return verdict(results.standings, results.metrics)


def labels(choice: Choice) -> tuple[str, ...]:
    results = choice.results
    count = counted(len(results.places), "condition")
    words = [SIMULATED_DATA] if results.about.simulated else []
    words.append(f"PREDICTED up to {results.about.cells:,} cells per condition")
    return (*words, f"{choice.truth.upper()} {count}, held out")


def show_headline(choice: Choice) -> None:
    about = choice.results.about
    st.header(plain(about.title), anchor=False)
    *said, rule = told(choice)
    for line in said:
        st.text(line)
    st.caption(plain(rule))
    show_labels(labels(choice))
    if some := compared(choice.results.rows):
        st.info(plain(some), icon=":material/rule:")
    if failed := failures(about):
        st.warning(plain(failed), icon=":material/running_with_errors:")
    made = f"{trainings(choice)} · data {about.data} · {about.part} part · made {day_of(about)}"
    st.caption(plain(f"{made}{explained(choice)}"))


def failures(about: About) -> str:
    if not about.failed:
        return ""
    (name, why), *others = about.failed.items()
    count = f"{counted(len(about.failed), 'training')} failed and {'are' if others else 'is'} not here"
    return f"{count}, such as {name}: {why}" if others else f"{count}: {name}, {why}"


def show_making(choice: Choice) -> None:
    """The command that makes the benchmark again, its data and versions."""
    about = choice.results.about
    with st.expander("How it was made", icon=":material/terminal:"):
        st.code(about.command, language=None, wrap_lines=True)
        facts = {"Data": about.data, "Data sha256": about.data_sha256, "Split sha256": ", ".join(about.split_sha256)}
        for name, value in facts.items():
            st.caption(plain(f"{name}: {value}"))
        versions = ", ".join(f"{name} {version}" for name, version in about.versions.items())
        st.caption(plain(f"Versions: {versions}"))


def explained(choice: Choice) -> str:
    """Which recipe and weight the sentences call PRiMeFlow."""
    row = champion(choice.results.table)
    if row is None:
        return ""
    recipe, weight = choice.results.entries[row]
    return f" · {PRIMEFLOW} above: recipe {recipe}, guidance weight {weight:g}"


def trainings(choice: Choice) -> str:
    """For instance ``14 models, 5 trainings each``."""
    results = choice.results
    models = counted(results.table["model"].nunique(), "model")
    return f"{models}, {counted(len(results.about.seeds), 'training')} each"


def show_taking_along(choice: Choice) -> None:
    with st.container(horizontal=True, key="taking-along"):
        offer_pin(partial(finding_of, choice), "|".join(("benchmark", *choice.key)))
        offer_link()
        offer_presentation()
        offer_tables(choice)


def finding_of(choice: Choice) -> Finding:
    results = choice.results
    shown = {"model": "Model", "seeds": "Trainings", "conditions": "Conditions"}
    for name, column in columns_of(results, SCORES).items():
        shown |= {column: name, f"{column}_sd": f"{name} sd"}
    named = results.table.assign(model=[results.labels[entry] for entry in results.entries])
    table = named[[column for column in shown if column in named]]
    bounds = results.bounds[[column for column in shown if column in results.bounds]]
    tables = [Table("Leaderboard", table, shown), Table("Floor, baseline and ceiling", bounds, shown)]
    further = {
        "What each metric can tell": metric_table(results.standings, results.metrics),
        "PRiMeFlow against the baselines": difference_table(results.standings, results.metrics),
    }
    tables += [Table(name, frame) for name, frame in further.items() if len(frame)]
    first, *_ = told(choice)
    return Finding(
        f"{results.about.title}. {first}", "benchmark", labels(choice), tuple(figures(choice)), tuple(tables),
        f"benchmark?{query_of()}", (), methods(choice),
    )  # fmt: skip


def figures(choice: Choice) -> list[SavedFigure]:
    grid = grid_of(choice)
    found = [
        drawn(
            f"{choice.title}: every training", partial(printed_metric, choice), metric_told(choice, named_rows(choice))
        ),
        drawn(f"{choice.title}: every condition", partial(printed_grid, grid), grid_told(grid)),
    ]
    cells = read_cells(choice)
    if cells is not None and choice.entries:
        printed = partial(printed_cells, choice, cells)
        found.append(drawn(f"Cells of {choice.condition}", printed, cells_told(choice, cells)))
    return found


def drawn(title: str, make: "Callable[[], Figure]", alt: str) -> SavedFigure:
    return SavedFigure(title, svg(make()), alt)


def methods(choice: Choice) -> str:
    about = choice.results.about
    return METHODS.format(
        models=counted(choice.results.table["model"].nunique(), "model"),
        seeds=f"{len(about.seeds)} times" if len(about.seeds) > 1 else "once", data=about.data, sha=about.data_sha256,
        split=", ".join(about.split_sha256), conditions=compared_on(choice.results),
        part=about.part, held_out=about.split.rstrip("."), cells=f"{about.cells:,}", day=day_of(about),
        rule=told(choice)[-1], calibrated=f" {EXPLAINED}" if choice.results.standings.calibrations else "",
        simulated=" The cells are SIMULATED: they do not come from an experiment." if about.simulated else "",
        command=about.command,
    )  # fmt: skip


def compared_on(results: Results) -> str:
    shared, held_out = int(results.table["conditions"].max()), len(results.places)
    return counted(held_out, "condition") if shared == held_out else f"{shared} of {held_out} conditions"


def steps(choice: Choice) -> list[Step]:
    """The sentences, the metric of all models, every condition, and the cells of one condition."""
    words = labels(choice)
    first, *others = told(choice)
    found = [
        Step(first, partial(draw_metric, choice), words),
        Step(others[0], partial(draw_lines, others[1:]), words),
    ]
    grid = grid_of(choice)
    found.append(Step(f"{grid_told(grid)}: bright is better.", partial(draw_conditions, choice, grid), words))
    cells = read_cells(choice)
    if cells is not None and choice.entries:
        draw = partial(draw_cells, choice, cells, height=PRESENTED_PANEL, letters=PRESENTED_LETTERS)
        found.append(Step(f"{choice.condition}: {_panels(choice)}.", draw, words))
    return found


def _panels(choice: Choice) -> str:
    names = [choice.results.labels[entry] for entry in choice.entries]
    return f"the cells that {', '.join(names)} predict, over {choice.truth} ones"


def draw_lines(lines: list[str]) -> None:
    for line in lines:
        st.text(line)
