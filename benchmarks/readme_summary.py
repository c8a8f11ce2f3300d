"""The README's section "Where it is good, and where it is not", from the tables of benchmarks.models.

python -m benchmarks.readme_summary benchmarks/results/models --readme README.md

It replaces the lines between BEGIN and END and leaves all others as they are.
"""

import argparse
import textwrap
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from benchmarks.models import BENCHMARKS
from primeflow_core.benchmark.display_names import family
from primeflow_core.benchmark.leaderboard import CEILING, FLOOR, Figure, best, figure
from primeflow_core.benchmark.results import Results
from primeflow_core.benchmark.shipped import read_results
from primeflow_core.benchmark.summary_text import Duel, champion, duels, word
from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.metrics.registry import metric_named
from primeflow_core.evaluation.paired import MetricStanding
from primeflow_core.runtime.atomic_files import write_text

BEGIN = "<!-- results: made by python -m benchmarks.readme_summary, do not edit -->"
END = "<!-- end of results -->"
IN_FULL = "k562-pairs"
"""The benchmark whose figures stand in the README; of the others it says where PRiMeFlow is ahead and behind."""
MODELS = ("unet-tiny", "mlp-tiny", "fm-tiny", "cpa", "sams-vae", "decoder-only", "additive", "ridge", FLOOR, CEILING)
METRICS = ("mmd_gex", "rmse_mean", "cosine_logfc", "deg_recall", "energy_distance")
IN_WORDS: Mapping[str, str] = MappingProxyType(
    {family("additive"): "the sum of single effects", family("ridge"): "ridge", FLOOR: "control cells"}
)
NONE, WIDTH = "none", 120


def block(found: Sequence[Results]) -> str:
    """The lines from BEGIN to END, both included, without a line end after the last.

    Raises SettingError where the benchmark shown in full is not among them.
    """
    in_full = next((one for one in found if one.key == IN_FULL), None)
    if in_full is None:
        raise SettingError(f"The README shows the figures of {IN_FULL}, which is not there.")
    sentences, introduction = (textwrap.fill(said, WIDTH) for said in (_counts(found), _introduction(in_full)))
    parts = (BEGIN, sentences, _by_data_set(found), introduction, _figures(in_full), END)
    return "\n\n".join(parts)


def with_block(readme: str, made: str) -> str:
    """The README with the lines between BEGIN and END replaced. Raises DataError where it lacks one of the two."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise DataError(f"The README has no section to replace: it needs the line {BEGIN!r} and, below it, {END!r}.")
    return before + made + after


def read_all(folder: Path) -> list[Results]:
    """Every benchmark of benchmarks.models that is in this folder, in their order."""
    return [read_results(folder / name) for name in BENCHMARKS if (folder / name).is_dir()]


def _counts(found: Sequence[Results]) -> str:
    """How often PRiMeFlow is better or worse than the sum and than ridge, over all data sets and metrics."""
    all_duels = [duel for one in found for duel in duels(one.table, one.metrics)]
    told = [_counted(baseline, all_duels) for baseline in dict.fromkeys(duel.baseline for duel in all_duels)]
    return (
        f"{len(found)} data sets, {len(found[0].metrics)} metrics, {_entries(found[0])} models, "
        f"{found[0].table['seeds'].max():g} trainings of each. {' '.join(told)} Two models are level where their "
        "difference is less than its standard deviation over trainings."
    )


def _counted(baseline: str, all_duels: Iterable[Duel]) -> str:
    own = [duel.outcome for duel in all_duels if duel.baseline == baseline]
    better, worse, level = (
        own.count(kind) for kind in (MetricStanding.BETTER, MetricStanding.WORSE, MetricStanding.EVEN)
    )
    return (
        f"Against {_in_words(baseline)}, PRiMeFlow is better in {better} of {len(own)} comparisons, level in {level} "
        f"and worse in {worse}."
    )


def _in_words(baseline: str) -> str:
    return IN_WORDS.get(baseline, baseline)


def _entries(one: Results) -> int:
    return one.table["model"].nunique()


def _by_data_set(found: Sequence[Results]) -> str:
    heads = ("data set", "conditions", "PRiMeFlow is best on", "another model is best on", "worse than a baseline on")
    lines = [_line(heads), "|" + "---|" * len(heads)]
    for one in found:
        row = _champion(one)
        conditions = f"{one.table['conditions'].iloc[row]:g}"
        own = [name for name in one.metrics if _first(one.table, name) == row]
        lines.append(_line((one.about.title, conditions, _listed(own), _others_best(one, own), _worse(one, row))))
    return "\n".join(lines)


def _champion(one: Results) -> int:
    row = champion(one.table)
    if row is None:
        raise DataError(f"{one.folder} has no row of PRiMeFlow.")
    return row


def _first(table: pd.DataFrame, metric: str) -> int:
    """The row with the best mean, at any guidance weight."""
    return int(table[metric].idxmax() if metric_named(metric).larger_is_better else table[metric].idxmin())


def _others_best(one: Results, own: Container[str]) -> str:
    """``CPA: cosine, RMSE; Ridge: energy distance``, of the metrics by which PRiMeFlow is not the best."""
    metrics: dict[str, list[str]] = {}
    for name in one.metrics:
        if name not in own:
            metrics.setdefault(one.labels[one.entries[_first(one.table, name)]], []).append(name)
    return _by_name(metrics)


def _worse(one: Results, row: int) -> str:
    """The simple baselines, control cells among them, and the metrics by which PRiMeFlow is worse than each."""
    metrics: dict[str, list[str]] = {}
    for duel in (*duels(one.table, one.metrics), *_against_floor(one, row)):
        if duel.outcome is MetricStanding.WORSE:
            metrics.setdefault(_in_words(duel.baseline), []).append(duel.metric)
    return _by_name(metrics)


def _against_floor(one: Results, row: int) -> Iterator[Duel]:
    """PRiMeFlow against control cells, which are the same in every training."""
    floor = one.bounds[one.bounds["model"] == FLOOR].iloc[0]
    for name in one.metrics:
        yield Duel(name, FLOOR, figure(one.table.iloc[row], name), Figure(float(floor[name]), 0.0))


def _by_name(metrics: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name}: {_listed(names)}" for name, names in metrics.items()) or NONE


def _introduction(one: Results) -> str:
    return (
        f"{one.about.title}, in figures: mean ± standard deviation over trainings; **bold**: within one standard "
        "deviation of the best of all models."
    )


def _figures(one: Results) -> str:
    table = pd.concat([one.table, one.bounds], ignore_index=True)
    shown = [name for name in METRICS if name in one.metrics]
    leading = {name: best(table, name) for name in shown}
    heads = [f"{word(name)} {metric_named(name).arrow}" for name in shown]
    lines = [_line(["model", *heads]), "|" + "---|" * (len(heads) + 1)]
    for model in MODELS:
        number, row = _unguided(table, model)
        texts = [_bold(figure(row, name).text, bold=number in leading[name]) for name in shown]
        lines.append(_line([model if model in (FLOOR, CEILING) else family(model), *texts]))
    return "\n".join(lines)


def _unguided(table: pd.DataFrame, model: str) -> tuple[int, pd.Series]:
    """The model's row with the smallest guidance weight. Raises DataError where there is none."""
    rows = table[table["model"] == model].sort_values("guidance")
    if rows.empty:
        raise DataError(f"The benchmark {IN_FULL} has no row {model!r}.")
    return int(rows.index[0]), rows.iloc[0]


def _bold(text: str, *, bold: bool) -> str:
    return f"**{text}**" if bold else text


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _listed(metrics: Sequence[str]) -> str:
    return ", ".join(map(word, metrics)) or NONE


def main() -> None:
    parser = argparse.ArgumentParser(description='The README\'s section "Where it is good, and where it is not".')
    parser.add_argument("folder", type=Path, help="folder of the tables")
    parser.add_argument("--readme", type=Path, required=True, help="Markdown file to change")
    given = parser.parse_args()
    made = block(read_all(given.folder))
    write_text(given.readme, with_block(given.readme.read_text(encoding="utf-8"), made))


if __name__ == "__main__":
    main()
