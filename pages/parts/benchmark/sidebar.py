"""The choices of the Benchmark page: data, metric, condition and models, in the sidebar and in the address."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

import pages
from pages import plain
from pages.parts import address
from primeflow_core.benchmark.condition_scores import name_of, strongest_first
from primeflow_core.benchmark.display_names import Entry
from primeflow_core.benchmark.read_cell_projection import Pictured, Place, pictured
from primeflow_core.benchmark.results import Results
from primeflow_core.benchmark.shipped import FILES, Shelf, benchmark_folders, own_benchmarks, read_shelf
from primeflow_core.benchmark.summary_text import champion, compared_baselines, mean_places
from primeflow_core.errors import DataError
from primeflow_core.evaluation.metrics.registry import metric_named
from primeflow_core.figures.interactive.pictured import MOST_PANELS

KEYS = ("result", "metric", "condition", "context", "models", "table")
BETWEEN, WEIGHT = ",", "@"
FIRST_METRIC = "mmd_gex"
PANELS = 4
SCORES, CALIBRATED, WRONG, RANKS = "scores", "calibrated", "wrong", "ranks"


@dataclass(frozen=True)
class Choice:
    """``entries``: the predictions whose cells of the condition ``place`` are drawn."""

    results: Results
    metric: str
    place: Place
    entries: tuple[Entry, ...]

    @property
    def title(self) -> str:
        return metric_named(self.metric).label

    @property
    def better(self) -> str:
        return metric_named(self.metric).direction

    @property
    def condition(self) -> str:
        """The display name of the condition."""
        return name_of(self.place, self.results)

    @property
    def truth(self) -> str:
        """``measured``, or ``simulated`` for simulated data."""
        return "simulated" if self.results.about.simulated else "measured"

    @property
    def key(self) -> tuple[str, ...]:
        return str(self.results.folder), self.metric, *self.place, *map(text_of, self.entries)


def shelf() -> Shelf:
    """Shipped benchmarks and those made on this machine. They are read again when a file changes."""
    shipped = Path(os.environ.get("PRIMEFLOW_RESULTS", "") or pages.ROOT / "benchmarks" / "results" / "models")
    places = (shipped, own_benchmarks())
    files = [folder / name for folder in benchmark_folders(*places) for name in FILES]
    state = tuple((str(file), file.stat().st_mtime_ns) for file in files if file.is_file())
    return pages.kept(("benchmarks", *map(str, places), state), partial(read_shelf, *places))


def cells_of(choice: Choice) -> Pictured | None:
    """The cells of the chosen condition; None if none were drawn. Raises DataError."""
    file = choice.results.picture
    if file is None or choice.place not in file.entries:
        return None
    key = ("pictured", str(file.path), file.path.stat().st_mtime_ns, choice.place)
    return pages.kept(key, partial(pictured, file, choice.place))


def chosen(found: Shelf) -> Choice:
    """Draw the sidebar."""
    follow_address(found)
    with st.sidebar:
        results = choose_results(found)
        metric = choose_metric(results)
        place = choose_place(results, metric)
        entries = choose_entries(results, place)
    address.write(
        {
            "result": results.key, "metric": metric, "condition": place[0], "context": place[1],
            "models": BETWEEN.join(map(text_of, entries)),
        }
    )  # fmt: skip
    return Choice(results, metric, place, entries)


def key_of(name: str) -> str:
    return f"bench_{name}"


def follow_address(found: Shelf) -> None:
    """Fill the boxes from a link or a step back in the browser; on the first visit, with the first view of the page."""
    # This box is not drawn during a presentation, and must keep its value then.
    st.session_state[key_of("table")] = st.session_state.get(key_of("table")) or SCORES
    said = address.read(KEYS)
    if said is None:
        return
    key = said.get("result", "")
    key = key if key in found.results else str(found.first)
    state: Any = st.session_state
    state[key_of("result")] = key
    state[key_of("metric")] = said.get("metric")
    state[key_of("place")] = (said.get("condition", ""), said.get("context", ""))
    kind = said.get("table")
    state[key_of("table")] = kind if kind in (CALIBRATED, WRONG, RANKS) else SCORES
    state[key_of("models")] = entries_of(said.get("models", ""), found.results[key])


def choose_results(found: Shelf) -> Results:
    def told(key: str) -> str:
        about = found.results[key].about
        return f"{about.title}{' (SIMULATED)' if about.simulated else ''}{' (yours)' if found.results[key].own else ''}"

    key = st.selectbox("Data and held-out conditions", list(found.results), format_func=told, key=key_of("result"))
    results = found.results[key]
    st.caption(plain(f"{results.about.split.rstrip('.')}."))
    return results


def choose_metric(results: Results) -> str:
    if st.session_state.get(key_of("metric")) not in results.metrics:
        first = FIRST_METRIC if FIRST_METRIC in results.metrics else results.metrics[0]
        st.session_state[key_of("metric")] = first
    metric = st.selectbox(
        "Metric", results.metrics, format_func=lambda name: metric_named(name).label, key=key_of("metric")
    )  # fmt: skip
    st.caption(plain(metric_named(metric).explanation))
    return str(metric)


def choose_place(results: Results, metric: str) -> Place:
    places = strongest_first(results, metric)
    if st.session_state.get(key_of("place")) not in places:
        st.session_state[key_of("place")] = usual_place(results, places)
    place: Place = st.selectbox(
        "Condition", places, format_func=lambda place: name_of(place, results), key=key_of("place"),
        help="Held out from training. The strongest response comes first.",
    )  # fmt: skip
    return place


def usual_place(results: Results, places: Sequence[Place]) -> Place:
    """The condition with the strongest response, of those that were drawn."""
    drawn = results.picture.entries if results.picture is not None else {}
    return next((place for place in places if place in drawn), places[0])


def choose_entries(results: Results, place: Place) -> tuple[Entry, ...]:
    drawn = drawn_at(results, place)
    if not drawn:
        return ()
    kept = [entry for entry in st.session_state.get(key_of("models")) or [] if entry in drawn]
    st.session_state[key_of("models")] = kept[:MOST_PANELS] or usual_entries(results, drawn)
    found = st.multiselect(
        "Models whose cells are drawn", drawn, format_func=results.labels.__getitem__, key=key_of("models"),
        max_selections=MOST_PANELS, help="w is the guidance weight. More exaggerates the response.",
    )  # fmt: skip
    return tuple(found)


def drawn_at(results: Results, place: Place) -> tuple[Entry, ...]:
    """The predictions of a condition whose cells were drawn, in the order of the leaderboard."""
    drawn = results.picture.entries.get(place, ()) if results.picture is not None else ()
    return tuple(entry for entry in results.entries if entry in drawn)


def usual_entries(results: Results, drawn: Sequence[Entry]) -> list[Entry]:
    """PRiMeFlow, the sum of single effects, and then the best by mean place, one for each recipe."""
    row = champion(results.table)
    first = [] if row is None else [results.entries[row]]
    first += [entry for entry in drawn if entry[0] in compared_baselines()[:1]]
    places = mean_places(results.table, results.standings.taking_part(results.metrics))
    order = [results.entries[row] for row in places.sort_values(kind="stable").index]
    wanted: list[Entry] = []
    for entry in (*first, *order):
        if entry in drawn and entry[0] not in {recipe for recipe, _ in wanted}:
            wanted.append(entry)
    return wanted[:PANELS]


def text_of(entry: Entry) -> str:
    recipe, weight = entry
    return f"{recipe}{WEIGHT}{weight:g}"


def entries_of(text: str, results: Results) -> list[Entry]:
    """The entries in the address that exist."""
    known = {text_of(entry): entry for entry in results.entries}
    return [known[part] for part in dict.fromkeys(text.split(BETWEEN)) if part in known]


def read_cells(choice: Choice) -> Pictured | None:
    """As ``cells_of``, with a warning in place of the error."""
    try:
        return cells_of(choice)
    except DataError as error:
        st.warning(plain(str(error)), icon=":material/broken_image:")
        return None
