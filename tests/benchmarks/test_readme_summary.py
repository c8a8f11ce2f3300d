"""The README's figures are those of the shipped tables, and only its own section is replaced."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import readme_summary
from benchmarks.readme_summary import BEGIN, END, block, read_all, with_block
from primeflow_core.errors import DataError, SettingError

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "models"


def section(readme: str) -> str:
    return BEGIN + readme.partition(BEGIN)[2].partition(END)[0] + END


def cells(text: str, first: str) -> list[str]:
    """Of the row that begins with this cell."""
    row = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_readme_says_what_the_script_makes():
    assert section((ROOT / "README.md").read_text(encoding="utf-8")) == block(read_all(RESULTS))


def test_figures_are_those_of_the_leaderboard():
    table = pd.read_csv(RESULTS / "k562-pairs" / "benchmark.csv")
    own = table[(table["model"] == "unet-tiny") & (table["guidance"] == 1)].iloc[0]
    shown = cells(block(read_all(RESULTS)), "PRiMeFlow")
    assert shown[3] == f"**{own['cosine_logfc']:.3f} ± {own['cosine_logfc_sd']:.3f}**"
    assert shown[5] == f"{own['energy_distance']:.4f} ± {own['energy_distance_sd']:.4f}"


def test_it_names_what_primeflow_loses_to():
    _, conditions, own, others, worse = cells(block(read_all(RESULTS)), "PerturBench's covariate transfer")
    assert (conditions, own) == ("5", "MMD GEX")
    assert "CPA: cosine, RMSE" in others
    assert "control cells: MMD PCA, energy distance" in worse


def test_every_comparison_is_counted():
    sentences = " ".join(block(read_all(RESULTS)).split())
    assert "better than ridge in 14 of 30 comparisons, level in 13, worse in 3;" in sentences
    assert "better than the best model without training in 15 of 30 comparisons, level in 11, worse in 4." in sentences


def test_other_lines_are_kept():
    assert with_block(f"before\n{BEGIN}\nold\n{END}\nafter\n", "new") == "before\nnew\nafter\n"


@pytest.mark.parametrize("readme", [f"{BEGIN}\n", f"{END}\n", f"{END}\n{BEGIN}\n"])
def test_a_readme_without_the_section_is_refused(readme):
    with pytest.raises(DataError, match="has no section to replace"):
        with_block(readme, "new")


def test_the_benchmark_shown_in_full_is_needed():
    others = [one for one in read_all(RESULTS) if one.key != "k562-pairs"]
    with pytest.raises(SettingError, match="k562-pairs"):
        block(others)


def test_the_command_writes_the_readme(tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\n{END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["readme_summary", str(RESULTS), "--readme", str(readme)])
    readme_summary.main()
    text = readme.read_text(encoding="utf-8")
    assert text == f"before\n{block(read_all(RESULTS))}\nafter\n"
