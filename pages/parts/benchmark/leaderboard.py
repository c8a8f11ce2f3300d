"""The leaderboard of a benchmark: every model by every metric, as scores, calibrated scores, scores of a wrong
condition, or ranks. Floor, baseline and ceiling have their own table."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pages import plain
from pages.parts import address
from pages.parts.benchmark.sidebar import CALIBRATED, RANKS, SCORES, WRONG, Choice, key_of
from pages.parts.shared.fading import PALE
from pages.parts.shared.saving import offer_table
from primeflow_core.benchmark.leaderboard import BASELINE, CEILING, FLOOR, UNRANKED, figure, larger_is_better, metric_of
from primeflow_core.benchmark.refusal_text import refusals
from primeflow_core.benchmark.results import Results
from primeflow_core.benchmark.summary_text import mean_places, word
from primeflow_core.evaluation.metrics.registry import metric_named, ranked_metrics
from primeflow_core.wording import counted

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

MODEL, PLACE, TRAININGS, CONDITIONS = "Model", "Mean place", "Trainings", "Conditions"
PARAMETERS, SECONDS, RECIPE, WHAT = "Parameters", "Training (s)", "Recipe", "What it is"
BEST = "★ "
SHOWN = {SCORES: "Scores", CALIBRATED: "Calibrated", WRONG: "Wrong condition", RANKS: "Ranks"}
ENDS = {SCORES: "", CALIBRATED: "_calibrated", WRONG: "_wrong", RANKS: "_rank"}
NARROW, WIDE, NAMES = 92, 118, 165
STARRED = "★ the best mean, and every model that it is not better than, over conditions and over trainings."
TOLD = {
    SCORES: f"Mean over held-out conditions, mean ± standard deviation over trainings. {STARRED}",
    CALIBRATED: (
        "0: typical perturbed cells, that is training cells of other perturbations. 1: a repeat of the experiment with "
        "half of its cells. Above 1: closer than such a repeat. Below 0: further away than typical cells. Effects of "
        "the two sides are measured from disjoint control cells. Mean ± standard deviation over trainings."
    ),
    WRONG: (
        "The score of the model's predictions of the other conditions of the context. A model that scores no better "
        "than this knows what perturbed cells look like, but not which perturbation does what."
    ),
    RANKS: (
        "Rank of the right condition among all conditions of its context, as in PerturBench: 0 when each prediction is "
        "nearest to its own condition, .5 for a random guess, 1 at worst. For every metric, smaller is better. "
        f"{STARRED}"
    ),
}
GUIDED = " w is the guidance weight; it is 1 if not shown."
FLOOR_AND_CEILING = (
    "Floor: control cells offered as the prediction. {baseline}Ceiling: one half of the {truth} cells against the "
    "other half. These are fewer cells than models make, so a model can score better than the ceiling."
)
BOUND_NAMES = {FLOOR: "Floor", BASELINE: "Baseline", CEILING: "Ceiling"}
BASELINE_TOLD = "Baseline: training cells of other perturbations; effects are measured from disjoint control cells. "


def show_table(choice: Choice) -> None:
    results = choice.results
    with st.container(border=True, key="leaderboard"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader("Leaderboard", anchor=False, width="content")
            kind = choose_kind(results)
        address.write({"table": "" if kind == SCORES else kind})
        columns = columns_of(results, kind)
        shown = readable(results, columns).loc[order_of(results, columns, choice.metric)]
        st.dataframe(
            marked(results, shown, columns, kind), hide_index=True, key=f"models-{kind}",
            column_config=settings(columns), height="content", alt=f"{SHOWN[kind]} of {len(shown)} models",
        )  # fmt: skip
        guided = GUIDED if (results.table["guidance"] != 1).any() else ""
        st.caption(plain(f"{TOLD[kind]}{guided}{pale(results)}"))
        if kind == SCORES and not results.bounds.empty:
            show_bounds(results, columns)
            baseline = BASELINE_TOLD if BASELINE in set(results.bounds["model"]) else ""
            st.caption(plain(FLOOR_AND_CEILING.format(truth=choice.truth, baseline=baseline)))
        if not results.ranks:
            st.caption(UNRANKED)
        show_refusals(results)
        show_meanings(results)


def pale(results: Results) -> str:
    """Which columns are pale, and why."""
    silent = [word(name) for name in results.metrics if not results.standings.can_tell(name)]
    return f" Pale: cannot tell on these data ({', '.join(silent)})." if silent else ""


def show_refusals(results: Results) -> None:
    said = refusals(results.about.refused, [*results.about.recipes])
    if said:
        with st.expander(f"Not predicted: {counted(len(said), 'condition')}", icon=":material/block:"):
            for sentence in said:
                st.markdown(f"- {plain(sentence)}")


def choose_kind(results: Results) -> str:
    kinds = [kind for kind in SHOWN if columns_of(results, kind)]
    if st.session_state.get(key_of("table")) not in kinds:
        st.session_state[key_of("table")] = SCORES
    if len(kinds) == 1:
        return SCORES
    kind = st.segmented_control(
        "Show", kinds, format_func=SHOWN.__getitem__, required=True, key=key_of("table"),
        label_visibility="collapsed", width="content",
    )  # fmt: skip
    return str(kind)


def columns_of(results: Results, kind: str) -> dict[str, str]:
    """By heading: the leaderboard column of every metric that is shown."""
    held = [column for name in results.metrics if has_values(results, column := f"{name}{ENDS[kind]}")]
    return {heading(column): column for column in held}


def has_values(results: Results, column: str) -> bool:
    return column in results.derived and bool(results.derived[column].notna().any())


def heading(column: str) -> str:
    """The name of a metric, short enough for a column; with an arrow unless it says the same for every metric."""
    name = word(metric_of(column))
    arrow = "" if column.endswith((ENDS[RANKS], ENDS[CALIBRATED])) else f" {metric_named(metric_of(column)).arrow}"
    return f"{name[:1].upper()}{name[1:]}{arrow}"


def readable(results: Results, columns: Mapping[str, str]) -> pd.DataFrame:
    """The table on the page, with headings in words. Numbers stay numbers, so that users can sort them."""
    table = results.table
    return pd.DataFrame(
        {
            MODEL: [results.labels[entry] for entry in results.entries],
            **{name: results.derived[column] for name, column in columns.items()},
            PLACE: mean_places(table, results.standings.taking_part(results.metrics)),
            TRAININGS: table["seeds"],
            CONDITIONS: table["conditions"],
            PARAMETERS: table["parameters"],
            SECONDS: table["seconds"],
            RECIPE: table["model"],
            WHAT: [results.about.recipes.get(model, "") for model in table["model"]],
        }
    )


def order_of(results: Results, columns: Mapping[str, str], metric: str) -> pd.Index:
    """Best first by the chosen metric, in what is shown of it; as in the table if nothing is."""
    column = next((name for name in columns.values() if metric_of(name) == metric), None)
    if column is None:
        return results.table.index
    values = results.derived[column]
    return values.sort_values(ascending=not larger_is_better(column), na_position="last", kind="stable").index


def marked(results: Results, shown: pd.DataFrame, columns: Mapping[str, str], kind: str) -> "Styler":
    """The values as mean ± standard deviation, the best of each column with a star. Pale: the metric cannot tell."""
    style = shown.style.format({PLACE: "{:.1f}"})
    starred = results.standings.leaders([*columns.values()] if kind in (SCORES, RANKS) else [])
    for name, column in columns.items():
        for row in shown.index:
            star = BEST if row in starred.get(column, ()) else ""
            text = f"{star}{shown_figure(results, row, column)}"
            style = style.format(said(text), subset=(slice(row, row), slice(name, name)), na_rep="–")
        if not results.standings.can_tell(column):
            style = style.set_properties(subset=[name], color=PALE)
    return style


def shown_figure(results: Results, row: int, column: str) -> str:
    """A calibrated score has two decimals, since its ends are estimates."""
    found = figure(results.derived.iloc[row], column)
    return found.with_digits(2) if column.endswith(ENDS[CALIBRATED]) else found.text


def said(text: str) -> Callable[[object], str]:
    return lambda _: text


def settings(columns: Mapping[str, str]) -> dict[str, Any]:
    column = st.column_config
    metrics = {
        name: column.NumberColumn(width=WIDE, help=help_of(column_name)) for name, column_name in columns.items()
    }
    return {
        MODEL: column.TextColumn(width=NAMES, pinned=True),
        **metrics,
        PLACE: column.NumberColumn(
            width=NARROW,
            help=f"Mean of its places by the {len(ranked_metrics())} metrics with ranks; 1 is best. Only a summary.",
        ),
        TRAININGS: column.NumberColumn(format="%d", width=80),
        CONDITIONS: column.NumberColumn(format="%d", width=NARROW),
        PARAMETERS: column.NumberColumn(format="compact", width=NARROW),
        SECONDS: column.NumberColumn(format="%.0f", width=NARROW, help="For one training, on the machine that ran it"),
        RECIPE: column.TextColumn(width=130),
        WHAT: column.TextColumn(width="large"),
    }


def help_of(column: str) -> str:
    metric = metric_named(metric_of(column))
    return f"{metric.label}. {metric.question}"


def show_bounds(results: Results, columns: Mapping[str, str]) -> None:
    bounds = results.bounds.set_index("model").reindex(
        [name for name in BOUND_NAMES if name in set(results.bounds["model"])]
    )
    held = {name: column for name, column in columns.items() if column in bounds}
    names = [BOUND_NAMES[model] for model in bounds.index]
    shown = pd.DataFrame({"": names, **{name: bounds[column].to_numpy() for name, column in held.items()}})
    st.dataframe(
        shown, hide_index=True, key="bounds", alt="Floor, baseline and ceiling of every metric",
        column_config={"": st.column_config.TextColumn(width=NAMES, pinned=True)}
        | {name: st.column_config.NumberColumn(format="%.3f", width=WIDE) for name in held},
    )  # fmt: skip


def show_meanings(results: Results) -> None:
    with st.expander("What each metric means", icon=":material/help:"):
        rows = [(metric.label, metric.question, metric.better) for metric in map(metric_named, results.metrics)]
        table = pd.DataFrame(rows, columns=["Metric", "What it asks", "Better is"])
        st.table(table, hide_index=True, border="horizontal", alt="Metrics with their meaning")


def offer_tables(choice: Choice) -> None:
    """Buttons that save the tables of the benchmark, unchanged."""
    results = choice.results
    name = f"primeflow-benchmark-{results.key}"
    offer_table(
        "Leaderboard (csv)", lambda: pd.concat([results.table, results.bounds], ignore_index=True), name, "bench-csv"
    )
    offer_table("Every condition (csv)", lambda: results.rows, f"{name}-conditions", "bench-conditions-csv")
    st.download_button(
        "Every condition (parquet)", partial(parquet_of, results), f"{name}-conditions.parquet",
        "application/vnd.apache.parquet", key="bench-parquet", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def parquet_of(results: Results) -> bytes:
    return bytes(results.rows.to_parquet(index=False))
