"""Every model of the paper by every metric, between floor and ceiling: is PRiMeFlow worth its cost?"""

import streamlit as st

import pages
from pages import plain
from pages.parts.benchmark.comparison import show_comparison
from pages.parts.benchmark.figures import show_condition, show_conditions, show_metric
from pages.parts.benchmark.finding import show_headline, show_making, show_taking_along, steps
from pages.parts.benchmark.leaderboard import show_table
from pages.parts.benchmark.sidebar import Choice, chosen, shelf
from pages.parts.shared.presenting import present, presenting
from primeflow_core.benchmark.shipped import Shelf, own_benchmarks

COMMANDS = (
    "primeflow split simulated-screen --task combo --out split.csv\n"
    "primeflow benchmark simulated-screen --split split.csv --seeds 5 --out {folder}/simulated"
)


def main() -> None:
    pages.begin("Benchmark")
    found = shelf()
    if not found.results:
        show_nothing(found)
        return
    choice = chosen(found)
    if presenting():
        present(steps(choice))
        return
    show_problems(found)
    show(choice)


def show_nothing(found: Shelf) -> None:
    """Say that there is no benchmark on this machine, and how to make one."""
    if presenting():
        present([])
        return
    st.header("Benchmark", anchor=False)
    show_problems(found)
    st.info("There is no benchmark on this machine yet.", icon=":material/leaderboard:")
    st.text(
        "These commands train every small model with five seeds on the simulated screen, predict the held-out "
        "conditions, score them, and put the results where this page looks. This takes hours on two cores. If it is "
        "stopped, run the second command again to resume."
    )
    st.code(COMMANDS.format(folder=own_benchmarks()), language=None, wrap_lines=True)
    st.caption("To use another folder of benchmarks, or the folder of one benchmark, set PRIMEFLOW_BENCHMARKS.")


def show_problems(found: Shelf) -> None:
    for problem in found.problems:
        st.warning(plain(problem), icon=":material/broken_image:")


def show(choice: Choice) -> None:
    show_headline(choice)
    show_table(choice)
    show_comparison(choice)
    show_metric(choice)
    show_conditions(choice)
    show_condition(choice)
    show_taking_along(choice)
    show_making(choice)


main()
