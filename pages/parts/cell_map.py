"""The map of cells: live while they are made, and finished, on principal components or as a UMAP."""

import numpy as np
import streamlit as st

import pages
from pages import Answer, plain
from pages.parts.view import View
from primeflow_core.figures import Group, Role, live_map, name_of, overlay
from primeflow_core.jobs import JobState
from primeflow_core.projection import Map, UMAPMap

HEIGHT = 520


def show_live(view: View, job_id: str) -> None:
    st.subheader("Cells are being made", anchor=False)
    # Half a second: fast enough to follow a solver step, slow enough for the browser to draw each one.
    st.fragment(run_every=0.5)(live)(view, job_id)


def live(view: View, job_id: str) -> None:
    status = pages.jobs().status(job_id)
    if status is None or not status.state.is_active:
        st.rerun()
    if status.state is JobState.QUEUED:
        st.progress(0.0, text=pages.waiting_text(status))
    elif status.snapshot is None:
        st.progress(0.0, text="The model is being loaded …")
    else:
        share = status.snapshot.fraction
        st.progress(share, text=f"Making {view.question.cells:,} cells: {share:.0%}")
    if view.pca is None:
        st.caption("Without measured cells there is no map to watch on; the cells appear when they are done.")
        return
    points = np.zeros((0, 2), np.float32) if status.snapshot is None else status.snapshot.table
    groups = [*measured_groups(view, view.pca, "pca"), Group(Role.PREDICTED, points)]
    st.echarts_chart(
        live_map(groups, view.pca.axes, view.pca.extent, simulated=view.simulated),
        key="live-map",
        height=HEIGHT - 30,
        alt="Predicted cells on their way from noise to their place among the measured cells",
    )


def show_map(view: View, answer: Answer | None) -> None:
    title = st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        height=pages.CARD_TITLE,
        border=False,
    )
    with title:
        st.subheader("Where the cells lie", anchor=False, width="content")
        kind = st.segmented_control(
            "Map", ["PCA", "UMAP"], default="PCA", required=True, key="map", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
    if answer is None:
        st.info("Nothing is predicted for this question yet. Press **Predict** on the left.", icon=":material/west:")
    fitted = chosen_map(view, answer, kind)
    if fitted is None:
        return
    name = "umap" if isinstance(fitted, UMAPMap) else "pca"
    groups = measured_groups(view, fitted, name)
    if answer is not None:
        key = (*view.place_key, name, answer.key)
        groups.append(Group(Role.PREDICTED, pages.placed(key, fitted, answer.prediction.values)))
    counts = ", ".join(f"{len(group.points):,} {name_of(group.role, simulated=view.simulated)}" for group in groups)
    st.plotly_chart(
        overlay(groups, fitted.axes, simulated=view.simulated, height=HEIGHT),
        key="overlay",
        config=pages.saved_as("map"),
        alt=f"{name.upper()} map of cells: {counts}",
    )


def chosen_map(view: View, answer: Answer | None, kind: str) -> Map | None:
    """PCA until the UMAP that was asked for has been fitted; without measured cells, of the predicted ones alone."""
    if view.known is None:
        return None if answer is None else pages.pca_map((answer.key,), answer.prediction.values)
    if kind == "UMAP":
        status = pages.umap_job(view.place_key, view.known.context_cells)
        if status is not None and isinstance(status.result, UMAPMap):
            return status.result
        if status is not None and status.state is JobState.FAILED:
            st.error(plain(status.error))
        elif status is not None:
            st.fragment(run_every=1.0)(wait_for_umap)(status.id)
    return view.pca


def wait_for_umap(job_id: str) -> None:
    status = pages.jobs().status(job_id)
    if status is None or not status.state.is_active:
        st.rerun()
    st.progress(0.0, text=f"The UMAP is being fitted, for {status.seconds:.0f} s; until then this is the PCA.")


def measured_groups(view: View, fitted: Map, name: str) -> list[Group]:
    if view.known is None:
        return []
    key = (*view.place_key, name)
    groups = [Group(Role.CONTROL, pages.placed((*key, "control"), fitted, view.known.controls))]
    if len(view.measured):
        groups.append(Group(Role.MEASURED, pages.placed((*key, "of", view.condition.label), fitted, view.measured)))
    return groups
