"""The map of cells, on principal components or as a UMAP: live during the prediction, and finished."""

from functools import partial

import numpy as np
import streamlit as st

import pages
from pages.parts.shared import answers
from pages.parts.shared.answers import Answer, prediction_of
from pages.parts.shared.saving import offer_figure
from pages.parts.shared.view import View
from primeflow_core.figures.interactive.maps import live_map, overlay
from primeflow_core.figures.style import Group, Role
from primeflow_core.models.model_kind import from_noise, is_flow
from primeflow_core.prediction.projection import Map, UMAPMap
from primeflow_core.report.cell_map import DrawnMap, PlaceRole, alternative, drawn_on, measured_groups, printed_map
from primeflow_core.runtime.jobs import JobState

HEIGHT = 520
MOVE, SELECT = "Move", "Select cells"


def show_live(view: View, job_id: str) -> None:
    st.subheader("Cells are being predicted", anchor=False)
    # Half a second: fast enough to follow a solver step, slow enough for the browser to draw each one.
    st.fragment(run_every=0.5)(live)(view, job_id)


def live(view: View, job_id: str) -> None:
    status = pages.jobs().status(job_id)
    if status is None or not status.state.is_active:
        st.rerun()
    if status.state is JobState.QUEUED:
        st.progress(0.0, text=answers.waiting_text(status))
    elif status.snapshot is None:
        st.progress(0.0, text="The model is being loaded …")
    else:
        share = status.snapshot.fraction
        st.progress(share, text=f"Predicting {view.question.cells:,} cells: {share:.0%}")
    if view.pca is None:
        st.caption("Without measured cells there is no live map. The cells appear when all are predicted.")
        return
    points = np.zeros((0, 2), np.float32) if status.snapshot is None else status.snapshot.table
    measured = [Group(group.role, group.points) for group in measured_groups(view, placing(view, None, view.pca))]
    st.echarts_chart(
        live_map([*measured, Group(Role.PREDICTED, points)], view.pca.axes, view.pca.extent, simulated=view.simulated),
        key="live-map",
        height=HEIGHT - 30,
        alt=motion(view),
    )


def motion(view: View) -> str:
    """What the live map shows, in words."""
    manifest = view.model.manifest
    if not is_flow(manifest):
        return "Predicted cells appear at their place among the measured cells, a batch at a time"
    source = "noise" if from_noise(manifest) else "control cells"
    return f"Predicted cells on their way from {source} to their place among the measured cells"


def show_title() -> tuple[str, str]:
    """The card's title with its choices: which map, and whether dragging moves it or selects cells."""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", border=False
    ):  # fmt: skip
        st.subheader("Where the cells lie", anchor=False, width="content")
        with st.container(horizontal=True, width="content"):
            drag = st.segmented_control(
                "Dragging", [MOVE, SELECT], default=MOVE, required=True, key="drag", label_visibility="collapsed"
            )
            kind = st.segmented_control(
                "Map", ["PCA", "UMAP"], default="PCA", required=True, key="map", bind="query-params",
                label_visibility="collapsed",
            )  # fmt: skip
    return str(kind), str(drag)


def drawn_map(view: View, answer: Answer | None, kind: str) -> DrawnMap | None:
    """None without cells. While a UMAP is being fitted, a message says so and this is the PCA."""
    fitted = chosen_map(view, answer, kind)
    return None if fitted is None else drawn_on(view, prediction_of(answer), fitted, placing(view, answer, fitted))


def placing(view: View, answer: Answer | None, fitted: Map) -> PlaceRole:
    """Places the cells of each role once."""
    key = (*view.place_key, "umap" if isinstance(fitted, UMAPMap) else "pca")
    names = {
        Role.CONTROL: ("control",),
        Role.MEASURED: ("of", view.condition.label),
        Role.PREDICTED: () if answer is None else (answer.key,),
    }
    return lambda role, values: pages.placed((*key, *names[role]), fitted, values)


def chosen_map(view: View, answer: Answer | None, kind: str) -> Map | None:
    """The PCA, or the UMAP once it is fitted. Without measured cells: the PCA of the predicted cells alone."""
    if view.known is None:
        return None if answer is None else pages.pca_map((answer.key,), answer.prediction.values)
    if kind == "UMAP":
        cells = view.known.context_cells
        doing = "UMAP is being fitted; until then this is the PCA"
        found = answers.result_of(("umap", *view.place_key), lambda: UMAPMap(cells), UMAPMap, doing, 40.0)
        return found or view.pca
    return view.pca


def still_map(view: View, drawn: DrawnMap, key: str = "overlay") -> None:
    """The map without selections, for a presentation."""
    st.plotly_chart(
        overlay(drawn.points, drawn.fitted.axes, simulated=view.simulated, height=HEIGHT),
        key=key, config=pages.FIGURE, alt=alternative(view, drawn),
    )  # fmt: skip


def save_map(view: View, drawn: DrawnMap) -> None:
    offer_figure("primeflow-map", partial(printed_map, view, drawn), "map")
