"""docs/benchmark.md from the tables of benchmarks.models: every model, every metric, every benchmark that was run.

python -m benchmarks.models_page benchmarks/results/models --out docs/benchmark.md
"""

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.models import BENCHMARKS
from primeflow_core.benchmark.common_conditions import SHOWN, compared
from primeflow_core.benchmark.html_page import MEANING
from primeflow_core.benchmark.leaderboard import UNRANKED, markdown, ranks_of
from primeflow_core.benchmark.output_files import LEADERBOARD
from primeflow_core.benchmark.refusal_text import refusals
from primeflow_core.benchmark.shipped import Results, read_results
from primeflow_core.benchmark.summary_text import verdict
from primeflow_core.errors import SettingError
from primeflow_core.runtime.atomic_files import write_text

BEGINNING = """\
# Every model on every data set

Made by `python -m benchmarks.models --work runs/models --workers 2 --out benchmarks/results/models` and
`python -m benchmarks.models_page benchmarks/results/models --out docs/benchmark.md`; no figure is typed by hand. The
app shows the same tables, with every condition and every model's cells, on its page Benchmark.

All models have a row that a CPU affords. The paper's and PerturBench's rows for a GPU (`primeflow benchmark --list`)
are not in these tables. Nothing was chosen by test conditions. A figure is the mean over held-out conditions, mean ±
standard deviation over trainings; w is the guidance weight; **bold**: the best, and what is within one standard
deviation of it. The floor is control cells offered as the prediction; the ceiling is one half of the measured cells
scored against the other.

What to keep in mind:

- A model that predicts the same cell again and again can be near by its mean and still far by MMD: that is what MMD is
  for.
- MMD is biased upward for few cells. Models that start from control cells (the sum, the ridge, Linear, Latent, CPA,
  SAMS-VAE, Biolord, FM PCA OT) make one cell from each control of training and no cell twice, so that they have fewer
  cells than others; so has the ceiling, which has half of the measured ones. The unbiased energy distance has no such
  bias, and there the sum of single effects is favoured: its cells are measured cells, moved.
- DEG recall orders genes by a t statistic. Where a gene is zero in all controls, a decoder that puts it a little above
  zero with next to no spread (Latent Additive, CPA, SAMS-VAE, Biolord) fills the first 50 with such genes.
- The covariate transfer has 71 to 100 measured cells a held-out condition, which differ from control cells little more
  than from each other: the ceiling, of half of them, lies behind the floor there. Ridge is "no change" there: with one
  condition left out at a time, what cell lines share told it nothing, so it carries nothing to another one.
- Guidance weights above 1 are the paper's rows. They exaggerate an effect on purpose, so look for the price in MMD.
- Rows for a CPU tell how models do at this size and with this time, not how far each could come.

"""
RANKED = "Rank of the own condition among all predicted ones, 0 the best and 0.5 as by chance:"


def section(results: Results, table: pd.DataFrame) -> str:
    about = results.about
    label = "SIMULATED cells. " if about.simulated else ""
    sentences = " ".join(verdict(results.table, results.bounds, results.metrics))
    refused = "".join(f"- {said}\n" for said in refusals(about.refused, [*about.recipes]))
    not_predicted = f"Not predicted:\n\n{refused}\n" if refused else ""
    costs = results.table.drop_duplicates("model")[["model", "parameters", "seconds"]]
    cost_lines = "".join(
        f"| {row.model} | {row.parameters:,.0f} | {row.seconds:,.0f} |\n" for row in costs.itertuples(index=False)
    )
    ranks = ranks_of(table)
    ranked = f"{RANKED}\n\n{markdown(table, ranks)}" if ranks else f"{UNRANKED}\n"
    said = compared(results.rows)
    common = f"{said}\n\n" if said else ""
    return (
        f"## {about.title}\n\n{label}{about.data}: {about.split}. Up to {about.cells:,} cells a condition, "
        f"{len(about.seeds)} trainings.\n\n    {about.command}\n\n{sentences}\n\n{common}{markdown(table)}\n"
        f"{ranked}\n{not_predicted}Cost of one training on one core, part of it beside other work:\n\n"
        f"| model | parameters | seconds |\n|---|---|---|\n{cost_lines}\n"
    )


def meanings() -> str:
    lines = [f"- **{MEANING[name][0]}** (`{name}`): {MEANING[name][1]}" for name in SHOWN]
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
