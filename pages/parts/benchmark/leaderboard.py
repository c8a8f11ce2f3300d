"""The leaderboard of a benchmark: every model by every metric, with ranks. Floor and ceiling have their own table."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pages import plain
from pages.parts import address
from pages.parts.benchmark.sidebar import RANKS, SCORES, Choice, key_of
from pages.parts.shared.saving import offer_table
from primeflow_core.benchmark.leaderboard import CEILING, UNRANKED, best, figure, larger_is_better
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
SHOWN = {SCORES: "Scores", RANKS: "Ranks"}
NARROW, WIDE, NAMES = 92, 118, 165
TOLD = {
    SCORES: (
        "Mean over held-out conditions: mean ± standard deviation over trainings. ★ the best, and all within one "
        "standard deviation of it. Click a heading to sort."
    ),
    RANKS: (
        "Rank of the right condition among all conditions of its context, as in PerturBench: 0 when each prediction is "
        "nearest to its own condition, .5 for a random guess, 1 at worst. For every metric, smaller is better. ★ the "
        "best, and all within one standard deviation of it."
    ),
}
GUIDED = " w is the guidance weight; it is 1 if not shown."
FLOOR_AND_CEILING = (
    "Floor: control cells offered as the prediction. Ceiling: one half of the {truth} cells against the other half. "
    "These are fewer cells than models make, so a model can score better than the ceiling."
)


def show_table(choice: Choice) -> None:
    results = choice.results
    with st.container(border=True, key="leaderboard"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader("Leaderboard", anchor=False, width="content")
            kind = choose_kind() if results.ranks else SCORES
        address.write({"table": RANKS if kind == RANKS else ""})
        columns = columns_of(results, kind)
        shown = readable(results, columns).loc[order_of(results, columns, choice.metric)]
        st.dataframe(
            marked(results, shown, columns), hide_index=True, key=f"models-{kind}", column_config=settings(columns),
            height="content", alt=f"{SHOWN[kind]} of {len(shown)} models",
        )  # fmt: skip
        guided = GUIDED if (results.table["guidance"] != 1).any() else ""
        st.caption(plain(f"{TOLD[kind]}{guided}"))
        if kind == SCORES and not results.bounds.empty:
            show_bounds(results, columns)
            st.caption(plain(FLOOR_AND_CEILING.format(truth=choice.truth)))
        if not results.ranks:
            st.caption(UNRANKED)
        show_refusals(results)
        show_meanings(results)


def show_refusals(results: Results) -> None:
    said = refusals(results.about.refused, [*results.about.recipes])
    if said:
        with st.expander(f"Not predicted: {counted(len(said), 'condition')}", icon=":material/block:"):
            for sentence in said:
                st.markdown(f"- {plain(sentence)}")


def choose_kind() -> str:
    kind = st.segmented_control(
        "Show", list(SHOWN), format_func=SHOWN.__getitem__, required=True, key=key_of("table"),
        label_visibility="collapsed", width="content",
    )  # fmt: skip
    return str(kind)


def columns_of(results: Results, kind: str) -> dict[str, str]:
    """By heading: the leaderboard column of every metric that is shown."""
    if kind == RANKS:
        return {heading(name.removesuffix("_rank")): name for name in results.ranks}
    return {f"{heading(name)} {metric_named(name).arrow}": name for name in results.metrics}


def heading(metric: str) -> str:
    """The name of a metric, short enough for a column."""
    name = word(metric)
    return f"{name[:1].upper()}{name[1:]}"


def readable(results: Results, columns: Mapping[str, str]) -> pd.DataFrame:
    """The table on the page, with headings in words. Numbers stay numbers, so that users can sort them."""
    table = results.table
    return pd.DataFrame(
        {
            MODEL: [results.labels[entry] for entry in results.entries],
            **{name: table[column] for name, column in columns.items()},
            PLACE: mean_places(table),
            TRAININGS: table["seeds"],
            CONDITIONS: table["conditions"],
            PARAMETERS: table["parameters"],
            SECONDS: table["seconds"],
            RECIPE: table["model"],
            WHAT: [results.about.recipes.get(model, "") for model in table["model"]],
        }
    )


def order_of(results: Results, columns: Mapping[str, str], metric: str) -> pd.Index:
    """Best first by the chosen metric, or by its ranks if ranks are shown."""
    column = next((name for name in columns.values() if name.removesuffix("_rank") == metric), None)
    if column is None:
        return results.table.index
    smaller = not larger_is_better(column)
    return results.table[column].sort_values(ascending=smaller, na_position="last", kind="stable").index


def marked(results: Results, shown: pd.DataFrame, columns: Mapping[str, str]) -> "Styler":
    """The values as mean ± standard deviation, the best of each column with a star."""
    style = shown.style.format({PLACE: "{:.1f}"})
    for name, column in columns.items():
        leading = best(results.table, column)
        for row in shown.index:
            star = BEST if row in leading else ""
            text = f"{star}{figure(results.table.loc[row], column).text}"
            style = style.format(said(text), subset=(slice(row, row), slice(name, name)), na_rep="–")
    return style


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
    metric = metric_named(column.removesuffix("_rank"))
    return f"{metric.label}. {metric.question}"


def show_bounds(results: Results, columns: Mapping[str, str]) -> None:
    names = ["Ceiling" if model == CEILING else "Floor" for model in results.bounds["model"]]
    held = {name: column for name, column in columns.items() if column in results.bounds}
    shown = pd.DataFrame({"": names, **{name: results.bounds[column] for name, column in held.items()}})
    st.dataframe(
        shown, hide_index=True, key="bounds", alt="Floor and ceiling of every metric",
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
