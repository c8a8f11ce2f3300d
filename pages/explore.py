"""One condition: control, measured and predicted cells, live; the genes that change; how far to trust it."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal

import numpy as np
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

import pages
from pages import Answer, plain
from primeflow_core.actions import actions, described, done_elsewhere, kind_of
from primeflow_core.catalogue import Catalogue, Choice, Covariates
from primeflow_core.cells import Cells
from primeflow_core.comparison import Background, Comparison
from primeflow_core.conditions import Condition, Novelty, Perturbation, novelty
from primeflow_core.errors import ConditionError, PrimeflowError
from primeflow_core.evaluation.response import LARGEST_P, LEAST_CHANGE
from primeflow_core.figures import Group, Range, Role, agreement_ranges, gene_changes, live_map, name_of, overlay
from primeflow_core.jobs import JobState, JobStatus
from primeflow_core.library import Library, Model
from primeflow_core.prediction import Question
from primeflow_core.projection import Map, PCAMap, UMAPMap

BOXES = ("a", "b", "c")
TEXTS = ("model", "context", *BOXES, *(f"dose_{box}" for box in BOXES))
MOST_CELLS = 5_000
FEW_CELLS = 50
GENES_DRAWN = 16
CARD_TITLE, MAP_HEIGHT = 44, 520
GENE_COLUMNS = (
    "gene", "predicted_change", "measured_change", "expected", "agrees", "predicted_p", "measured_p",
)  # fmt: skip
Colour = Literal["gray", "green", "yellow"]
BADGES: dict[Novelty, tuple[str, Colour, str]] = {
    Novelty.SEEN: ("Seen in training: a memory, not a prediction", "gray", ":material/history:"),
    Novelty.PARTS_SEEN: ("Each part seen alone, never together: a prediction", "green", ":material/join_inner:"),
    Novelty.PART_ELSEWHERE: ("A part never seen alone here: treat as a guess", "yellow", ":material/help:"),
    Novelty.PART_UNSEEN: ("A part never seen: treat as a guess", "yellow", ":material/help:"),
}
MEASURES = {
    "mmd_gex": ("MMD, genes", "distance between predicted and measured cells over all genes; smaller is closer"),
    "mmd_pca": ("MMD, components", "the same over 30 principal components, where most noise is gone"),
    "deg_recall": ("DEG recall", "share of the 50 genes that change most which the prediction finds too"),
    "cosine_logfc": ("Cosine of changes", "do genes change in the same proportions; 1 is the same, 0 unrelated"),
}


@dataclass(frozen=True)
class View:
    """What the page shows: the question, its model, and what was measured; ``known`` None: nothing to compare with."""

    model: Model
    question: Question
    cells: Cells | None
    known: Background | None

    @property
    def condition(self) -> Condition:
        return self.question.condition

    @property
    def simulated(self) -> bool:
        return self.model.manifest.simulated

    @cached_property
    def measured(self) -> np.ndarray:
        """(m, G) measured cells of the condition; m = 0 where there are none."""
        if self.cells is None:
            return np.zeros((0, len(self.model.manifest.genes)), dtype=np.float32)
        return self.cells.dense(self.cells.where(self.condition))

    @property
    def place_key(self) -> tuple[str, ...]:
        """Names the map: the cells and their context."""
        return (str(self.model.folder), self.cells.sha256 if self.cells else "", self.condition.context)

    @property
    def pca(self) -> PCAMap | None:
        return None if self.known is None else pages.pca_map(self.place_key, self.known.context_cells)


def main() -> None:
    pages.begin("Explore a response")
    library = pages.library()
    for problem in library.problems:
        st.warning(plain(problem))
    if library.first is None:
        st.error("There is no model yet. Train one with `primeflow train`, then put its folder into checkpoints/.")
        return
    try:
        view = asked(library)
    except PrimeflowError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    show(view)


# The question: the sidebar


def asked(library: Library) -> View:
    """The sidebar. Raises PrimeflowError where what was chosen cannot be asked."""
    follow_address(library)
    with st.sidebar:
        model = choose_model(library)
        catalogue = Catalogue(model.manifest)
        covariates = choose_context(catalogue)
        parts = choose_parts(catalogue, covariates)
        weight = choose_weight()
        left, right = st.columns(2)
        usual = min(pages.usual_cells(model), MOST_CELLS)
        cells = left.number_input("Cells", 10, MOST_CELLS, usual, 50, key="cells", bind="query-params")
        seed = right.number_input(
            "Seed", 0, 2**31 - 1, 0, 1, key="seed", bind="query-params", help="The same seed gives the same cells."
        )
        pages.write_address({key: str(st.session_state.get(key) or "") for key in TEXTS})
        predict_here = st.container()
        pages.offer_download(library.to_download)
    if problem := st.session_state.get("_address_problem"):
        raise ConditionError(problem)
    condition = catalogue.condition(parts, covariates)
    plan = replace(model.manifest.sampling, guidance=float(weight), seed=int(seed))
    question = Question(model.folder, model.version, condition, int(cells), plan)
    view = look_up(model, question)
    with predict_here:
        offer_prediction(view)
    return view


def look_up(model: Model, question: Question) -> View:
    """The measured side of a question; where it cannot be had the reason is shown and predictions still work."""
    try:
        cells = pages.cells_of(model)
        known = None if cells is None else pages.background_of(model, cells, question.condition)
    except PrimeflowError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return View(model, question, None, None)
    return View(model, question, cells, known)


def follow_address(library: Library) -> None:
    """Bring a link, or a step back in the browser, into the boxes; on the first visit, what the app opens on."""
    said = pages.read_address(TEXTS)
    if said is None:
        return
    st.session_state.pop("_address_problem", None)
    name = said.get("model", "")
    st.session_state["model"] = name if name in library.models else library.first
    model = library.models[st.session_state["model"]]
    if not any(said.get(box) for box in BOXES):
        open_on(model, said.get("context", ""))
        return
    catalogue = Catalogue(model.manifest)
    st.session_state["context"] = said.get("context") or context_of(model.manifest.first_view)
    for box in BOXES:
        try:
            st.session_state[box] = catalogue.resolve(said[box]) if said.get(box) else None
        except ConditionError as error:
            st.session_state[box] = None
            st.session_state["_address_problem"] = str(error)
        st.session_state[f"dose_{box}"] = said.get(f"dose_{box}")


def open_on(model: Model, context: str = "") -> None:
    """Fill the boxes with what the model is first shown with; in another context with the best known perturbation."""
    first = model.manifest.first_view
    catalogue = Catalogue(model.manifest)
    by_name = {context_of(Condition((), covariates)): covariates for covariates in catalogue.contexts()}
    if context not in by_name:
        context = context_of(first) if context_of(first) in by_name else next(iter(by_name))
    st.session_state["context"] = context
    if first is None or context_of(first) != context:
        first = Condition((Perturbation(catalogue.choices(by_name[context])[0].name),))
    for place, box in enumerate(BOXES):
        part = first.perturbations[place] if place < len(first.perturbations) else None
        st.session_state[box] = part.name if part else None
        st.session_state[f"dose_{box}"] = f"{part.dose:g}" if part and part.dose is not None else None


def forget_problem() -> None:
    st.session_state.pop("_address_problem", None)


def choose_model(library: Library) -> Model:
    def reopen() -> None:
        forget_problem()
        open_on(library.models[st.session_state["model"]])

    name = st.selectbox(
        "Model and data",
        list(library.models),
        format_func=lambda name: library.models[name].title,
        key="model",
        on_change=reopen,
    )
    return library.models[name]


def choose_context(catalogue: Catalogue) -> Covariates:
    contexts = {context_of(Condition((), covariates)): covariates for covariates in catalogue.contexts()}
    if st.session_state.get("context") not in contexts:
        st.session_state["context"] = next(iter(contexts))
    if list(contexts) == [""]:
        return contexts[""]
    return contexts[st.selectbox("Cells you start from", list(contexts), key="context")]


def choose_parts(catalogue: Catalogue, covariates: Covariates) -> list[Perturbation]:
    """One to three boxes; the next one appears when the one before is filled."""
    chosen: list[Perturbation] = []
    labels = ("Perturbation", "with a second one (optional)", "and a third (optional)")
    for box, label in zip(BOXES, labels, strict=True):
        if len(chosen) < BOXES.index(box):
            st.session_state[box] = None
            continue
        choices = {choice.name: choice for choice in catalogue.choices(covariates, chosen)}
        if st.session_state.get(box) not in choices:
            st.session_state[box] = None
        name = st.selectbox(
            label,
            list(choices),
            index=None,
            format_func=partial(option_text, choices),
            key=box,
            placeholder="Type a name" if box == "a" else "None",
            on_change=forget_problem,
        )
        if name is not None:
            chosen.append(Perturbation(name, choose_dose(catalogue, covariates, name, f"dose_{box}")))
    return chosen


def option_text(choices: dict[str, Choice], name: str) -> str:
    return choices[name].label


def choose_dose(catalogue: Catalogue, covariates: Covariates, name: str, key: str) -> float | None:
    doses = {f"{dose:g}": dose for dose in catalogue.doses(name, covariates)}
    if not doses:
        st.session_state[key] = None
        return None
    if st.session_state.get(key) not in doses:
        st.session_state[key] = list(doses)[-1]
    label = f"Dose of {plain(name)} (unit of the data)"
    return doses[st.segmented_control(label, list(doses), key=key, required=True) or list(doses)[-1]]


def choose_weight() -> float:
    weight = st.slider("Guidance weight", 1.0, 5.0, 1.0, 0.5, format="%.1f", key="w", bind="query-params")
    st.caption("1 shows the response as the model learned it; more exaggerates it and makes cells less real.")
    return weight


def context_of(condition: Condition | None) -> str:
    return condition.context if condition else ""


def offer_prediction(view: View) -> None:
    """Predict, or Cancel while this very question is being answered."""
    status = pages.job_in_address()
    if status is not None and status.state.is_active and status.subject == view.question:
        offer_cancel(status, "cancel")
        return
    question = view.question
    seconds = pages.shelf().expected_seconds(question.folder, view.model.manifest, question.cells, question.plan)
    st.button(
        "Predict",
        type="primary",
        key="predict",
        icon=":material/play_arrow:",
        shortcut="Ctrl+Enter",
        width="stretch",
        on_click=pages.ask,
        args=(question, view.pca.place if view.pca else None, seconds),
    )
    st.caption(f"{question.cells:,} cells take about {max(1, round(seconds))} s on this machine.")


def offer_cancel(status: JobStatus, key: str) -> None:
    st.button(
        "Cancel prediction",
        key=key,
        icon=":material/stop_circle:",
        width="stretch",
        on_click=pages.jobs().cancel,
        args=(status.id,),
    )


# The answer: the page


def show(view: View) -> None:
    status = pages.job_in_address()
    mine = status if status is not None and status.subject == view.question else None
    if mine is None and "job" in st.query_params and not (status is not None and status.state.is_active):
        del st.query_params["job"]
    answer = None if mine is not None and mine.state.is_active else pages.answer_to(view.question, view.model)
    found = compare(view, answer)
    show_headline(view, answer, found)
    show_messages(view, mine, answer)
    if status is not None and mine is None and status.state.is_active:
        show_other_job(status)
    grid = st.grid(2, min_column_width=370)
    with grid.container(border=True, height="stretch"):
        if mine is not None and mine.state.is_active:
            show_live(view, mine.id)
        else:
            show_map(view, answer)
    with grid.container(border=True, height="stretch"):
        show_agreement(view, answer, found)
    if answer is not None and found is not None:
        show_genes(view, found)
    if answer is not None:
        show_downloads(view, answer, found)
        show_provenance(view, answer)


def compare(view: View, answer: Answer | None) -> Comparison | None:
    if answer is None or view.known is None:
        return None
    key = (*view.place_key, view.condition.label, answer.key)
    try:
        return pages.comparison(key, answer.prediction.values, view.measured, view.known, view.model.manifest.genes)
    except PrimeflowError as error:
        st.warning(plain(str(error)))
        return None


def show_headline(view: View, answer: Answer | None, found: Comparison | None) -> None:
    """One plain sentence with real numbers, and in words what is predicted, measured and simulated."""
    done = described(view.condition, actions(view.cells, view.condition.covariates))
    where = f" in {view.condition.context}" if view.condition.context else ""
    st.header(plain(f"{done[:1].upper()}{done[1:]}{where}: {sentence(view, answer, found)}"), anchor=False)
    with st.container(horizontal=True, gap="xsmall"):
        if view.simulated:
            st.badge("SIMULATED data", icon=":material/science:", color="violet")
        if answer is not None:
            st.badge(f"PREDICTED {len(answer.prediction.values):,} cells", icon=":material/diamond:", color="orange")
        if len(view.measured):
            word = "SIMULATED" if view.simulated else "MEASURED"
            held_out = ", held out" if view.condition in view.model.manifest.held_out else ""
            st.badge(f"{word} {len(view.measured):,} cells{held_out}", icon=":material/circle:", color="blue")
        text, colour, icon = BADGES[novelty(view.condition, view.model.manifest.trained_on)]
        st.badge(text, icon=icon, color=colour)
    manifest = view.model.manifest
    kind = kind_of(view.cells, view.condition)
    st.caption(
        plain(
            " · ".join(
                filter(None, (view.condition.context, kind, f"data {manifest.dataset}", f"model {view.model.made}"))
            )
        )
    )


def sentence(view: View, answer: Answer | None, found: Comparison | None) -> str:
    """What the model expects and whether it was right, after the words for what was done."""
    truth = "simulation" if view.simulated else "experiment"
    if answer is None:
        known = f"{len(view.measured):,} cells in the {truth}" if len(view.measured) else f"none in the {truth}"
        return f"{known}, not predicted yet."
    if found is None:
        return f"{len(answer.prediction.values):,} predicted cells, nothing to compare them with."
    response = found.response
    expected = response.up + response.down
    told = f"the model expects {response.up} genes up, {response.down} down"
    if not expected:
        told = "the model expects no gene to change clearly"
    if not response.measured:
        return f"{told}. This was never measured: there is nothing to compare with."
    return f"{told}; the {truth} agrees on {response.agreeing} of {expected}." if expected else f"{told}."


def show_messages(view: View, status: JobStatus | None, answer: Answer | None) -> None:
    if refused := pages.refusal():
        st.warning(plain(refused), icon=":material/hourglass_top:")
    if status is not None and status.state is JobState.FAILED:
        st.error(plain(status.error), icon=":material/error:")
    if status is not None and status.state is JobState.CANCELLED:
        made = len(answer.prediction.values) if answer is not None and not answer.shipped else 0
        shown = f"the picture shows those {made:,}" if made else "none was finished"
        st.warning(
            f"Cancelled after {made:,} of {view.question.cells:,} cells; {shown}.", icon=":material/stop_circle:"
        )
    for line in (
        *Catalogue(view.model.manifest).seen_elsewhere(view.condition),
        *done_elsewhere(view.cells, view.condition),
    ):
        st.caption(plain(line))
    if view.known is None:
        st.info(
            "The measured cells of this model are not on this machine, so there is nothing to compare with. "
            "Predictions work all the same.",
            icon=":material/cloud_off:",
        )


def show_other_job(status: JobStatus) -> None:
    """A prediction of something else goes on while the question was changed."""
    question = status.subject
    name = question.condition.label if isinstance(question, Question) else "Another condition"
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.text(f"{name} is still being predicted.", width="stretch")
        st.button("Cancel it", key="cancel-other", on_click=pages.jobs().cancel, args=(status.id,))


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
        height=MAP_HEIGHT - 60,
        alt="Predicted cells on their way from noise to their place among the measured cells",
    )


def show_map(view: View, answer: Answer | None) -> None:
    title = st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", height=CARD_TITLE, border=False
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
        overlay(groups, fitted.axes, simulated=view.simulated, height=MAP_HEIGHT),
        key="overlay",
        config=saved_as("map"),
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


def show_agreement(view: View, answer: Answer | None, found: Comparison | None) -> None:
    with st.container(horizontal=True, height=CARD_TITLE, border=False, vertical_alignment="center"):
        st.subheader("How far to trust it", anchor=False)
    if answer is None:
        st.caption("The agreement with the measured cells appears here when cells have been predicted.")
        return
    if found is None or not found.agreement:
        missing = "not on this machine" if view.known is None else "never measured"
        st.caption(f"Cells of this condition are {missing}: there is no truth to compare with.")
        return
    ranges = ranges_of(found)
    told = "; ".join(f"{entry.label} {entry.value:.3g}" for entry in ranges)
    st.plotly_chart(
        agreement_ranges(ranges), key="agreement", config={"displayModeBar": False}, alt=f"Agreement: {told}"
    )
    meanings = [f"**{label}**: {meaning}." for label, meaning in MEASURES.values()]
    ends = (
        "**Floor**: control cells offered as the prediction. **Ceiling**: one half of the measured cells against the "
        "other; more cells than a half has can come closer still."
    )
    st.caption("  \n".join([*meanings, ends]))
    if min(len(view.measured), len(answer.prediction.values)) < FEW_CELLS:
        st.caption(f":material/warning: With fewer than {FEW_CELLS} cells these measures are rough.")


def ranges_of(found: Comparison) -> list[Range]:
    """The measures that have a floor and a ceiling."""
    ranges = []
    for name, (label, _) in MEASURES.items():
        bounded = found.agreement[name]
        if bounded.floor is not None and bounded.ceiling is not None:
            ranges.append(Range(label, bounded.value, bounded.floor, bounded.ceiling))
    return ranges


def show_genes(view: View, found: Comparison) -> None:
    st.subheader("Genes that change most", anchor=False)
    st.caption(
        f"log2 change of the mean log-normalised expression against control. Expected to change: {LEAST_CHANGE:g} or "
        f"more, with an adjusted p below {LARGEST_P:g}. Agreement is the same direction, which chance gives to half."
    )
    shown = found.response.most_changed(GENES_DRAWN)
    figure = gene_changes(shown, simulated=view.simulated)
    grid = st.grid(2, min_column_width=370)
    with grid.container(border=True):
        st.plotly_chart(
            figure, key="genes", config=saved_as("genes"),
            alt=f"log2 change of {', '.join(shown['gene'].head(5))} and {len(shown) - 5} more genes",
        )  # fmt: skip
    with grid.cell():
        st.dataframe(
            found.response.table,
            hide_index=True,
            height=figure.layout.height + 32,
            column_order=GENE_COLUMNS,
            column_config=gene_columns(view),
            alt="All genes with predicted and measured change",
        )


def gene_columns(view: View) -> dict[str, ColumnConfig | str | None]:
    truth = "Simulated" if view.simulated else "Measured"
    number = partial(st.column_config.NumberColumn, format="%.2f")
    p_value = partial(st.column_config.NumberColumn, format="%.2g")
    return {
        "gene": st.column_config.TextColumn("Gene", pinned=True),
        "predicted_change": number("Predicted", help="log2 change against control, log-normalised"),
        "predicted_p": p_value("Predicted p", help="Welch's t test, Benjamini-Hochberg adjusted"),
        "expected": st.column_config.TextColumn("Expected"),
        "measured_change": number(truth, help="log2 change against control, log-normalised"),
        "measured_p": p_value(f"{truth} p", help="Welch's t test, Benjamini-Hochberg adjusted"),
        "agrees": st.column_config.CheckboxColumn("Agrees", help="Same direction in the measured cells"),
    }


def show_downloads(view: View, answer: Answer, found: Comparison | None) -> None:
    name = partial(pages.file_name, view.model, view.condition)
    with st.container(horizontal=True):
        if found is not None:
            st.download_button(
                "Genes (csv)", lambda: str(found.response.table.to_csv(index=False)), name("-genes.csv"), "text/csv",
                icon=":material/download:", on_click="ignore",
            )  # fmt: skip
        st.download_button(
            "Predicted cells (h5ad)", partial(pages.h5ad_of, answer, view.model, view.condition), name("-cells.h5ad"),
            "application/octet-stream", icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def show_provenance(view: View, answer: Answer) -> None:
    plan = answer.prediction.plan
    origin = "They came with the model; Predict makes them live. " if answer.shipped else ""
    st.caption(
        plain(
            f"{len(answer.prediction.values):,} predicted cells. {origin}Sampling: {plan.sampler}, {plan.steps} steps, "
            f"guidance {plan.guidance:g}, seed {plan.seed}, zeros {plan.zeros}."
        )
    )


def saved_as(name: str) -> dict[str, object]:
    return {"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": f"primeflow-{name}"}}


main()
