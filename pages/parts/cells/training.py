"""Training a small model on the user's cells: the form, the loss during training, and the metrics of the model."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

import pages
from pages import plain
from primeflow_core.data.design import Task, tasks
from primeflow_core.data.holdout import HoldoutKind, hold_out
from primeflow_core.errors import CheckpointError, PrimeflowError
from primeflow_core.evaluation.metrics.registry import metric_named
from primeflow_core.figures.interactive.losses import loss_curve
from primeflow_core.model_store.held_out_metrics import read_validation
from primeflow_core.runtime.jobs import BusyError, JobManager, JobState, JobStatus
from primeflow_core.user_data.training_job import (
    CHECKED_CELLS,
    MOST_MINUTES,
    TRAINING,
    Trained,
    TrainingOrder,
    TrainingSubject,
    train_model,
)
from primeflow_core.user_data.user_cells import Own

ADDRESS = "training"
SIZES = {"unet-tiny": "Small: learns fastest", "unet-small": "Larger: half as fast, better in the end"}
CHECKS = {HoldoutKind.CONDITIONS: "Conditions it never saw", HoldoutKind.CELLS: "Cells it never saw"}
NO_BETTER = (
    "By none of these metrics is it better than control cells offered as the prediction. Train it for longer, or on "
    "more cells, before you use it."
)
_REFUSED, _OPENED = "_training_refused", "_training_opened"


def offer_training(own: Own, manager: JobManager, session: str, place: Path) -> None:
    """The form for a model of the user's cells, its training, or its result, as the address says.

    The model becomes a folder in ``place``.
    """
    status = manager.status(st.query_params.get(ADDRESS, ""))
    if status is not None and isinstance(status.subject, TrainingSubject):
        show_training(status, manager)
        return
    if ADDRESS in st.query_params:
        st.info("This training is no longer known here. If it finished, its model is in the list of models.")
    if st.session_state.get(_OPENED) != own.sha256:
        st.button(
            "Set up a training …", key="training-open", icon=":material/model_training:", on_click=open_form,
            args=(own.sha256,),
        )  # fmt: skip
        return
    try:
        # Drawn here too, not only by the worker, so that cells which cannot be checked are refused before the wait.
        kind, _ = held_out(own)
    except PrimeflowError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    offer_order(own, kind, partial(begin, own, manager, session, place))
    show_tasks(own)


def show_tasks(own: Own) -> None:
    """What else can be held out of these cells, which the command line does."""

    def look() -> tuple[Task, ...]:
        cells = pages.whole_file_of(own)
        counts = np.bincount(cells.condition_of, minlength=len(cells.conditions)).tolist()
        return tasks(dict(zip(cells.conditions, counts, strict=True)))

    with st.expander("What can be held out of this file"):
        for task in pages.kept(("tasks", own.sha256, own.name, own.fixes), look):
            st.markdown(f"**{task.name}**: {plain(task.text if task.possible else f'not here: {task.text}')}")
        st.caption("`primeflow check` prints the command for each, and `primeflow train --split` trains with it.")


def open_form(sha256: str) -> None:
    st.session_state[_OPENED] = sha256


def held_out(own: Own, kind: HoldoutKind | None = None, seed: int = 0) -> tuple[HoldoutKind, str]:
    """What would be held out, and a sentence about it. Cached for each choice. Raises DataError."""

    def look() -> tuple[HoldoutKind, str]:
        found = hold_out(pages.whole_file_of(own), kind, seed)
        return found.kind, found.sentence

    return pages.kept(("held out", own.sha256, own.name, own.fixes, str(kind), seed), look)


def offer_order(own: Own, kind: HoldoutKind, on_click: Callable[[], None]) -> None:
    with st.container(border=True):
        left, right = st.columns(2)
        left.text_input("Name of the model", "My model", max_chars=40, key="training-name")
        right.radio("Size of the model", list(SIZES), format_func=SIZES.__getitem__, key="training-size")
        left.slider("Minutes at most", 1, MOST_MINUTES, 5, key="training-minutes")
        seed = right.number_input(
            "Seed",
            0,
            2**31 - 1,
            0,
            1,
            key="training-seed",
            help="Decides what is held out, and every random draw of training.",
        )
        if kind is HoldoutKind.CONDITIONS:
            kind = left.radio("Check it on", list(CHECKS), format_func=CHECKS.__getitem__, key="training-check") or kind
        try:
            _, sentence = held_out(own, kind, int(seed))
            st.caption(plain(sentence))
        except PrimeflowError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        minutes = st.session_state["training-minutes"]
        st.caption(
            f"About {minutes} min of training and one minute to check the model. You can predict in the meantime. The "
            "model knows only these cells."
        )
        st.button("Train a model", type="primary", key="train", icon=":material/model_training:", on_click=on_click)
    if refused := st.session_state.pop(_REFUSED, ""):
        st.warning(plain(refused), icon=":material/hourglass_top:")


def begin(own: Own, manager: JobManager, session: str, place: Path) -> None:
    """Queue the training that the form asks for, and put the job into the address."""
    form = st.session_state
    try:
        cells = pages.whole_file_of(own)
        order = TrainingOrder(
            lambda: cells,
            own.name,
            own.simulated,
            form["training-name"],
            form["training-size"],
            form["training-minutes"],
            int(form["training-seed"]),
            form.get("training-check", HoldoutKind.CELLS),
            asdict(own.fixes.repair),
        )
        st.query_params[ADDRESS] = manager.submit(
            session,
            partial(train_model, order, place),
            subject=order.subject,
            expected_seconds=order.expected_seconds,
            lane="long",
        )
    except (BusyError, PrimeflowError) as error:
        form[_REFUSED] = str(error)


def show_training(status: JobStatus, manager: JobManager) -> None:
    if status.state.is_active:
        st.fragment(run_every=1.0)(follow)(manager, status.id)
        return
    show_end(status)
    st.button("Train another", key="training-again", on_click=forget)


def forget() -> None:
    st.query_params.pop(ADDRESS, None)


def follow(manager: JobManager, job_id: str) -> None:
    """The loss so far, the time left, and buttons to stop early or cancel."""
    status = manager.status(job_id)
    if status is None or not status.state.is_active:
        st.rerun()
    snapshot = status.snapshot
    left = status.wait_seconds if status.seconds_left is None else status.seconds_left
    st.progress(status.seconds / max(1.0, status.seconds + left), text=progress_text(status))
    if snapshot is not None and len(snapshot.table) > 1:
        draw_loss(snapshot.table)
    is_training = snapshot is not None and snapshot.note == TRAINING
    with st.container(horizontal=True):
        st.button(
            "Stop and keep", key="training-finish", icon=":material/done:", disabled=not is_training,
            on_click=manager.finish, args=(job_id,),
            help="Ends the training after at least one step and checks the model as it is.",
        )  # fmt: skip
        st.button(
            "Cancel training", key="training-cancel", icon=":material/close:", on_click=manager.cancel, args=(job_id,)
        )


def progress_text(status: JobStatus) -> str:
    if status.state is JobState.QUEUED:
        count = "One training is" if status.ahead == 1 else f"{status.ahead} trainings are"
        return f"{count} ahead of you, about {pages.duration(status.wait_seconds)}."
    if status.snapshot is None:
        return "Starting …"
    snapshot = status.snapshot
    left = "" if status.seconds_left is None else f", about {pages.duration(status.seconds_left)} left in total"
    step = f": step {snapshot.done:,} of {snapshot.total:,}" if snapshot.note == TRAINING else "" if left else " …"
    return f"{snapshot.note}{step}{left}"


def draw_loss(curve: np.ndarray) -> None:
    """``curve`` (n, 3): step, loss, loss on held-out cells."""
    steps, loss, validation = curve.T
    st.echarts_chart(
        loss_curve(steps.astype(int).tolist(), loss.tolist(), validation.tolist()),
        key="training-loss",
        height=300,
        alt=f"Error at step {steps[-1]:,.0f}: {loss[-1]:.3f} on training cells, at step {steps[0]:,.0f}: {loss[0]:.3f}",
    )


def show_end(status: JobStatus) -> None:
    name = plain(status.subject.name) if isinstance(status.subject, TrainingSubject) else "The model"
    if status.state is JobState.CANCELLED:
        st.info(f"The training of {name} was cancelled. Nothing was kept.", icon=":material/close:")
    elif not isinstance(status.result, Trained):
        st.error(plain(status.error), icon=":material/error:")
    else:
        st.success(f"{name} is trained, in {pages.duration(status.seconds)}.", icon=":material/check_circle:")
        show_trained(status.result)


def show_trained(trained: Trained) -> None:
    st.caption(plain(trained.holdout))
    if trained.unchecked:
        st.warning(f"It could not be checked: {plain(trained.unchecked)}", icon=":material/warning:")
    show_validation(trained.folder)
    if len(trained.curve) > 1:
        draw_loss(trained.curve)
    name = next((model.key for model in pages.library().models.values() if model.folder == trained.folder), "")
    with st.container(horizontal=True):
        pages.link_to("explore", "Use it in Explore", query={"model": name})
        pages.link_to("screen", "Rank perturbations with it", query={"model": name})


def show_validation(folder: Path) -> None:
    """Each metric on held-out cells, and how far it is on the way from its floor to its ceiling."""
    try:
        found = read_validation(folder)
    except CheckpointError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        return
    if found is None:
        st.caption("It was not evaluated.")
        return
    if not any(bounded.position for bounded in found.figures.values() if not bounded.silent):
        st.warning(NO_BETTER, icon=":material/warning:")
    rows = [
        {
            "measure": metric_named(name).page_label,
            "better": "larger" if bounded.larger_is_better else "smaller",
            "floor": bounded.floor,
            "model": bounded.value,
            "ceiling": bounded.ceiling,
            "wrong": bounded.wrong,
            "typical": bounded.baseline,
            "calibrated": bounded.score,
            "tells": "no" if bounded.silent else "" if bounded.calibration is None else "yes",
            "way": bounded.position,
        }
        for name, bounded in found.figures.items()
    ]
    table = pd.DataFrame(rows)
    if all(bounded.calibration is None for bounded in found.figures.values()):
        table = table.drop(columns=["typical", "calibrated", "tells"])
    number = partial(st.column_config.NumberColumn, format="%.3f")
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={
            "measure": st.column_config.TextColumn("Metric"),
            "better": st.column_config.TextColumn("Better is"),
            "floor": number("Floor", help="Control cells offered as the prediction"),
            "model": number("This model", help=f"{CHECKED_CELLS} predicted cells per condition"),
            "ceiling": number("Ceiling", help="One half of the measured cells against the other half"),
            "wrong": number("Wrong condition", help="Predictions of the other held-out conditions"),
            "typical": number("Typical cells", help="Training cells of other perturbations"),
            "calibrated": number("Calibrated", format="%.2f", help="0: typical cells. 1: a repeat of the experiment"),
            "tells": st.column_config.TextColumn("Can tell", help="Is a repeat clearly better than typical cells?"),
            "way": st.column_config.ProgressColumn("Way from floor to ceiling", format="percent"),
        },
        alt=f"Metrics of the model: {found.line}",
    )
    st.caption(
        "Distances are in log-normalised expression, over all genes or 30 principal components. DEG recall is a share. "
        "The cosine has no unit. If the last column is empty, control cells do as well as a second experiment, so the "
        "metric cannot tell."
    )
