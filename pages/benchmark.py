"""Every model of the paper by every metric, between floor and ceiling: does PRiMeFlow earn its cost?"""

import streamlit as st

import pages
from pages import plain
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
    """No benchmark on this machine: how to make one."""
    if presenting():
        present([])
        return
    st.header("Benchmark", anchor=False)
    show_problems(found)
    st.info("There is no benchmark on this machine yet.", icon=":material/leaderboard:")
    st.text(
        "These commands train every small model with five seeds on the simulated screen, predict what was held out, "
        "score it, and put the results where this page looks. It takes hours on two cores; stopped, the second one "
        "goes on where it was."
    )
    st.code(COMMANDS.format(folder=own_benchmarks()), language=None, wrap_lines=True)
    st.caption("PRIMEFLOW_BENCHMARKS names another folder of benchmarks, or the folder of one.")


def show_problems(found: Shelf) -> None:
    for problem in found.problems:
        st.warning(plain(problem), icon=":material/broken_image:")


def show(choice: Choice) -> None:
    show_headline(choice)
    show_table(choice)
    show_metric(choice)
    show_conditions(choice)
    show_condition(choice)
    show_taking_along(choice)
    show_making(choice)


main()
