"""docs/benchmark.md from the tables of benchmarks.models: every model, every metric, every benchmark that was run.

python -m benchmarks.models_page benchmarks/results/models --out docs/benchmark.md
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.models import BENCHMARKS
from primeflow_core.benchmark.about import LEADERBOARD
from primeflow_core.benchmark.common_conditions import compared
from primeflow_core.benchmark.leaderboard import UNRANKED, markdown, ranks_of
from primeflow_core.benchmark.metric_table import metric_markdown
from primeflow_core.benchmark.refusal_text import refusals
from primeflow_core.benchmark.results import Results
from primeflow_core.benchmark.shipped import read_results
from primeflow_core.benchmark.standings import Standings
from primeflow_core.benchmark.summary_text import verdict
from primeflow_core.errors import SettingError
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.runtime.atomic_files import write_text

BEGINNING = """\
# Every model on every data set

`python -m benchmarks.models --work runs/models --workers 2 --out benchmarks/results/models` and
`python -m benchmarks.models_page benchmarks/results/models --out docs/benchmark.md` made this page. No figure is typed
by hand. The page Benchmark of the app shows the same tables, with every condition and the cells of every model.

All models use recipes that a CPU can train. The paper's and PerturBench's recipes for a GPU
(`primeflow benchmark --list`) are not in these tables. No choice was made by test conditions. A figure is the mean over
held-out conditions, given as mean ± standard deviation over trainings. w is the guidance weight. **Bold**: the best
mean, and every model that it is not better than, over conditions and over trainings. The floor is control cells offered
as the prediction. The ceiling is one half of the measured cells scored against the other half.

What to keep in mind:

- A model that predicts the same cell again and again can be close by its mean and still far by MMD. MMD exists to show
  this.
- MMD is biased upward for few cells. Models that start from control cells (the sum, the ridge, Linear, Latent, CPA,
  SAMS-VAE, Biolord, FM PCA OT) make one cell from each control cell of training, and no cell twice. They therefore have
  fewer cells than other models. So does the ceiling, which has half of the measured cells. The unbiased energy distance
  has no such bias. It favours the sum of single effects instead, because its cells are measured cells that were moved.
- DEG recall orders genes by a t statistic. Where a gene is zero in all controls, some decoders put it a little above
  zero with next to no spread (Latent Additive, CPA, SAMS-VAE, Biolord). They fill the first 50 with such genes.
- The covariate transfer has 71 to 100 measured cells for each held-out condition. These cells differ from control cells
  little more than from each other, so the ceiling (half of them) is worse than the floor there. Ridge equals "no
  change" there: with one condition left out at a time, the responses that cell lines share told it nothing, so it
  carries nothing to another cell line.
- Guidance weights above 1 are settings of the paper. They exaggerate an effect on purpose, and make MMD worse.
- Small recipes show how models do at this size and with this time. They do not show how far each model could come.

"""
RANKED = "Rank of the right condition among all predicted conditions: 0 is the best, 0.5 is chance."


def section(results: Results, table: pd.DataFrame) -> str:
    about = results.about
    label = "SIMULATED cells. " if about.simulated else ""
    found = results.standings
    sentences = " ".join(verdict(found, results.metrics))
    refused = "".join(f"- {said}\n" for said in refusals(about.refused, [*about.recipes]))
    not_predicted = f"Not predicted:\n\n{refused}\n" if refused else ""
    costs = results.table.drop_duplicates("model")[["model", "parameters", "seconds"]]
    cost_lines = "".join(
        f"| {row.model} | {row.parameters:,.0f} | {row.seconds:,.0f} |\n" for row in costs.itertuples(index=False)
    )
    ranks = ranks_of(table)
    ranked = f"{RANKED}\n\n{markdown(table, found.leaders(ranks), ranks)}" if ranks else f"{UNRANKED}\n"
    said = compared(results.rows)
    common = f"{said}\n\n" if said else ""
    return (
        f"## {about.title}\n\n{label}{about.data}: {about.split}. Up to {about.cells:,} cells a condition, "
        f"{len(about.seeds)} trainings.\n\n    {about.command}\n\n{sentences}\n\n{common}"
        f"{markdown(table, found.leaders(results.metrics))}\n{_told(found, results.metrics)}{ranked}\n"
        f"{not_predicted}Cost of one training on one core (other work ran beside some of them):\n\n"
        f"| model | parameters | seconds |\n|---|---|---|\n{cost_lines}\n"
    )


def _told(found: Standings, metrics: Sequence[str]) -> str:
    told = metric_markdown(found, metrics)
    return f"{told}\n" if told else ""


def meanings() -> str:
    lines = [f"- **{metric.label}** (`{metric.name}`): {metric.question}" for metric in all_metrics()]
    return "## What the metrics mean\n\n" + "\n".join(lines) + "\n\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="The tables of benchmarks.models as a page.")
    parser.add_argument("folder", type=Path, help="folder of the tables")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    given = parser.parse_args()
    folders = [given.folder / name for name in BENCHMARKS if (given.folder / name).is_dir()]
    if not folders:
        raise SettingError(f"{given.folder} holds none of {', '.join(BENCHMARKS)}. Run benchmarks.models first.")
    sections = [section(read_results(folder), pd.read_csv(folder / LEADERBOARD)) for folder in folders]
    lacking = [name for name in BENCHMARKS if given.folder / name not in folders]
    missing = f"Not run yet: {', '.join(lacking)}.\n" if lacking else ""
    write_text(given.out, (BEGINNING + meanings() + "".join(sections) + missing).rstrip() + "\n")


if __name__ == "__main__":
    main()
