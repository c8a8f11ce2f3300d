"""Figures of a benchmark: one metric of all models, every condition, and the cells of one condition."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts.benchmark.sidebar import Choice, drawn_at, key_of, read_cells
from pages.parts.shared.saving import offer_figure, offer_table
from primeflow_core.benchmark.condition_scores import condition_grid, strongest_first
from primeflow_core.benchmark.read_cell_projection import Pictured
from primeflow_core.figures.interactive.benchmark import metric_of_models
from primeflow_core.figures.interactive.condition_grid import ConditionGrid, condition_heat_map
from primeflow_core.figures.interactive.pictured import Scene, pictured_models
from primeflow_core.figures.paper import benchmark as print_benchmark
from primeflow_core.figures.paper import condition_grid as print_grid
from primeflow_core.figures.paper import pictured as print_pictured
from primeflow_core.figures.style import Role, name_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_metric(choice: Choice) -> None:
    with st.container(border=True, key="metric-of-models"):
        st.subheader(plain(f"{choice.title}: every training"), anchor=False)
        draw_metric(choice)
        st.caption(
            plain(
                f"Each mark is one training: the mean over its conditions; {choice.better}. A number with an arrow is "
                "the mean of a model that lies outside the figure. Double-click the figure to see all."
            )
        )
        offer_figure(f"primeflow-benchmark-{choice.metric}", partial(printed_metric, choice), "bench-metric")


def draw_metric(choice: Choice, rows: pd.DataFrame | None = None, key: str = "metric-of-models-figure") -> None:
    """The figure of all conditions, or of those in ``rows``."""
    found = named_rows(choice, rows)
    st.plotly_chart(
        metric_of_models(found, choice.metric, choice.title, simulated=choice.results.about.simulated),
        key=key, config=pages.FIGURE, alt=metric_told(choice, found),
    )  # fmt: skip


def named_rows(choice: Choice, rows: pd.DataFrame | None = None) -> pd.DataFrame:
    return choice.results.named(choice.results.shared if rows is None else rows, choice.metric)


def metric_told(choice: Choice, rows: pd.DataFrame) -> str:
    """The first three models with their means."""
    means = rows.groupby("model", sort=False)[choice.metric].mean().head(3)
    said = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
    return f"{choice.title} of the first models: {said}"


def printed_metric(choice: Choice, rows: pd.DataFrame | None = None) -> "Figure":
    return print_benchmark.metric_of_models(
        named_rows(choice, rows), choice.metric, choice.title, simulated=choice.results.about.simulated
    )


def grid_of(choice: Choice) -> ConditionGrid:
    return condition_grid(choice.results, choice.metric)


def show_conditions(choice: Choice) -> None:
    with st.container(border=True, key="by-condition"):
        st.subheader(plain(f"{choice.title}: every condition"), anchor=False)
        grid = grid_of(choice)
        draw_conditions(choice, grid)
        st.caption(
            plain(
                "Mean over trainings. Bright is better. Values far beyond floor and ceiling have the last colour. The "
                "condition that changes most comes first. Click a field to see its cells below."
            )
        )
        with st.container(horizontal=True):
            offer_figure(f"primeflow-benchmark-{choice.metric}-conditions", partial(printed_grid, grid), "bench-grid")
            offer_table(
                "These values (csv)", partial(table_of, grid), f"primeflow-benchmark-{choice.metric}-by-condition",
                "bench-grid-csv",
            )  # fmt: skip


def draw_conditions(choice: Choice, grid: ConditionGrid) -> None:
    key = f"condition-grid-{choice.results.key}-{choice.metric}"
    st.plotly_chart(
        condition_heat_map(grid), key=key, config=pages.FIGURE, on_select=partial(follow_click, choice, key),
        selection_mode="points", alt=grid_told(grid),
    )  # fmt: skip


def grid_told(grid: ConditionGrid) -> str:
    return f"{grid.title} of {len(grid.models)} models in {len(grid.conditions)} conditions"


def printed_grid(grid: ConditionGrid) -> "Figure":
    return print_grid.condition_heat_map(grid)


def table_of(grid: ConditionGrid) -> pd.DataFrame:
    """A row for each model; floor and ceiling last."""
    table = pd.DataFrame(grid.whole, columns=list(grid.conditions))
    table.insert(0, "model", list(grid.rows), allow_duplicates=True)
    return table


def follow_click(choice: Choice, key: str) -> None:
    """Choose the condition of the field that was clicked."""
    number = clicked(st.session_state.get(key))
    places = strongest_first(choice.results, choice.metric)
    if number is not None and 0 <= number < len(places):
        st.session_state[key_of("place")] = places[number]


def clicked(event: Mapping[str, Any] | None) -> int | None:
    """The number of the condition of the clicked field; None for no field."""
    points = (event or {}).get("selection", {}).get("points", [])
    said = points[0].get("customdata") if points else None
    first = said[0] if isinstance(said, list) and said else None
    return int(first) if isinstance(first, int | float) else None


def show_condition(choice: Choice) -> None:
    """One condition: the metric of every model, and Figure 1 of the paper."""
    with st.container(border=True, key="one-condition"):
        st.subheader(plain(f"{choice.condition}: the cells"), anchor=False)
        found = read_cells(choice)
        if found is None:
            st.info(without_cells(choice), icon=":material/image_not_supported:")
        else:
            draw_cells(choice, found)
            st.caption(plain(cells_told(choice, found)))
            offer_figure("primeflow-benchmark-cells", partial(printed_cells, choice, found), "bench-cells")
    with st.container(border=True, key="metric-of-condition"):
        st.subheader(plain(f"{choice.condition}: {choice.title}"), anchor=False)
        rows = choice.results.rows_at(choice.place)
        draw_metric(choice, rows, "metric-of-condition-figure")
        st.caption(plain(f"Only this condition, with its own floor and ceiling; {choice.better}."))
        offer_figure(
            f"primeflow-benchmark-{choice.metric}-condition", partial(printed_metric, choice, rows), "bench-condition"
        )


def without_cells(choice: Choice) -> str:
    if choice.results.picture is None:
        return "The cells of this benchmark were not saved. All its scores are here."
    if not drawn_at(choice.results, choice.place):
        return "No cells of this condition were drawn. Try another condition."
    return "The cells of this condition cannot be read."


def scene_of(choice: Choice, found: Pictured) -> Scene:
    return Scene(found.others, found.control, found.truth, found.axes, choice.results.about.simulated)


def panels_of(choice: Choice, found: Pictured) -> list[tuple[str, np.ndarray]]:
    return [(choice.results.labels[entry], found.predicted[entry]) for entry in choice.entries]


def draw_cells(choice: Choice, found: Pictured, *, height: int = 290, letters: int = 12) -> None:
    st.plotly_chart(
        pictured_models(scene_of(choice, found), panels_of(choice, found), height=height, letters=letters),
        key="pictured-models", config=pages.FIGURE, alt=cells_told(choice, found),
    )  # fmt: skip


def printed_cells(choice: Choice, found: Pictured) -> "Figure":
    return print_pictured.pictured_models(scene_of(choice, found), panels_of(choice, found))


def cells_told(choice: Choice, found: Pictured) -> str:
    most = max((len(points) for _, points in panels_of(choice, found)), default=0)
    truth = name_of(Role.MEASURED, simulated=choice.results.about.simulated).lower()
    seed = choice.results.about.seeds[0]
    control = f"{len(found.control):,} control cells"
    around = f", {control} and {len(found.others):,} {truth} cells of other conditions"
    return (
        f"Up to {most:,} predicted cells a model, of the training with seed {seed}, over {len(found.truth):,} {truth} "
        f"cells of {choice.condition}{around if len(found.others) else f' and {control}'}; principal components of all "
        "cells of this context."
    )
