"""What stands behind the summary of a benchmark: what each metric can tell, and differences with their intervals."""

import streamlit as st

from pages import plain
from pages.parts.benchmark.sidebar import Choice
from pages.parts.shared.fading import faded
from primeflow_core.benchmark import difference_table, metric_table
from primeflow_core.benchmark.summary_text import NOT_KNOWN


def show_comparison(choice: Choice) -> None:
    with st.container(border=True, key="comparison"):
        st.subheader("What each metric can tell", anchor=False)
        show_metrics(choice)
        show_differences(choice)


def show_metrics(choice: Choice) -> None:
    """Of each metric: typical perturbed cells, a repeat of the experiment, and whether it takes part."""
    found = choice.results.standings
    table = metric_table.metric_table(found, choice.results.metrics)
    if table.empty:
        st.caption(f"{NOT_KNOWN} All metrics take part in the summary.")
        return
    known = [name for name in choice.results.metrics if name in found.calibrations]
    st.table(
        faded(table, [not found.can_tell(name) for name in known]), hide_index=True, border="horizontal",
        alt="What each metric can tell",
    )  # fmt: skip
    st.caption(plain(metric_table.EXPLAINED.replace("measured cells", f"{choice.truth} cells")))


def show_differences(choice: Choice) -> None:
    table = difference_table.difference_table(choice.results.standings, choice.results.metrics)
    if table.empty:
        return
    with st.expander("PRiMeFlow against the baselines, in figures", icon=":material/compare_arrows:"):
        st.table(table, hide_index=True, border="horizontal", alt="Differences with intervals and spreads")
        st.caption(plain(difference_table.EXPLAINED))
