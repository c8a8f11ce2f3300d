"""The Benchmark page without a browser: first view, choices and links, damaged files, taking along, presenting."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pages
from pages.parts.benchmark.figures import clicked
from pages.parts.benchmark.sidebar import entries_of, shelf, text_of
from primeflow_core.benchmark.cell_projection import REFERENCE
from primeflow_core.benchmark.leaderboard import UNRANKED, leaderboard
from primeflow_core.benchmark.output_files import BenchmarkOutcome
from tests.app import ROOT, drawn, labels, page, table_with
from tests.app import text_of as said_on
from tests.shipped_benchmarks import AXES, CONTEXT, SCORES, about, calibrated, picture, rows, ship

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("benchmarks")
    ship(place / "pairs")
    ship(place / "simulated", rows(conditions=("A+B", "C+D")), simulated=True, title="Simulated screen")
    return place


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path, folders):
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(folders))
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path))
    monkeypatch.setenv("PRIMEFLOW_MIRROR", "")
    monkeypatch.delenv("PRIMEFLOW_BENCHMARKS", raising=False)


def test_the_first_view_says_who_is_best_and_shows_everything():
    app = page("benchmark")
    assert not app.exception
    assert not app.error
    assert not app.warning
    said = said_on(app)
    assert "Best mean of 6 models and guidance weights: CPA by cosine (0.690); PRiMeFlow by MMD GEX (0.110)." in said
    assert "Against the sum of single effects, PRiMeFlow is better on MMD GEX (by 0.100); worse on cosine" in said
    assert "It does not earn its cost on cosine (Sum of single effects, worse by 0.100)." in said
    assert "MEASURED 3 conditions, held out" in said
    assert "SIMULATED" not in said
    for key in ("metric-of-models-figure", "condition-grid", "pictured-models", "metric-of-condition-figure"):
        assert drawn(app, key)["data"]


def test_the_leaderboard_has_every_model_and_keeps_the_bounds_apart():
    app = page("benchmark")
    table = table_with(app, "Trainings")
    assert list(table["Model"])[:2] == ["PRiMeFlow", "PRiMeFlow, w = 3"]
    assert set(table["Recipe"]) == {recipe for recipe, _ in SCORES}
    expected = leaderboard(rows()).set_index(["model", "guidance"])["mmd_gex"]
    assert table["MMD GEX ↓"].iloc[0] == pytest.approx(expected["unet-tiny", 1.0])
    bounds = next(frame.value for frame in app.dataframe if len(frame.value) == 2)
    assert list(bounds.iloc[:, 0]) == ["Floor", "Ceiling"]
    assert len(table) == len(SCORES)


def test_figures_are_means_with_their_spread_and_the_best_has_a_star():
    app = page("benchmark")
    proto = next(frame.proto for frame in app.dataframe if "Trainings" in frame.value)
    shown = pa.ipc.open_stream(proto.arrow_data.styler.display_values).read_all().to_pydict()
    texts = {text for column in shown.values() for text in map(str, column)}
    assert "★ 0.110 ± 0.010" in texts
    assert "0.310 ± 0.010" in texts
    assert "★ 0.310 ± 0.010" not in texts


@pytest.fixture
def told(monkeypatch, tmp_path):
    """A benchmark with baseline and replicate, in which the cosine cannot tell."""
    ship(tmp_path / "some" / "told", calibrated(rows(), silent=("cosine_logfc",)))
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "some"))


def test_what_each_metric_can_tell_is_shown_and_decides_who_takes_part(told):
    app = page("benchmark")
    assert not app.exception
    said = said_on(app)
    assert "Best mean of 6 models and guidance weights: PRiMeFlow by MMD GEX (0.110)." in said
    assert "PRiMeFlow is at 1.19 on MMD GEX." in said
    assert "Not used in these sentences: cosine (in 2 of 3, by 0.5 standard errors)." in said
    assert "Pale: cannot tell on these data (cosine)." in said
    metrics = next(frame.value for frame in app.table if "Takes part" in frame.value)
    assert metrics["Takes part"].tolist() == [":gray[no, cannot tell]", "yes"]
    differences = next(frame.value for frame in app.table if "So it is" in frame.value)
    assert set(differences["Metric"]) == {"MMD GEX"}
    bounds = next(frame.value for frame in app.dataframe if len(frame.value) == 3)
    assert list(bounds.iloc[:, 0]) == ["Floor", "Baseline", "Ceiling"]


def test_calibrated_scores_and_wrong_conditions_stand_behind_the_switch(told):
    app = page("benchmark", table="calibrated")
    table = table_with(app, "Trainings")
    assert table["Model"].iloc[0] == "PRiMeFlow"
    assert table["MMD GEX"].iloc[0] == pytest.approx(1.192, abs=1e-3)
    assert "0: typical perturbed cells" in said_on(app)
    wrong = table_with(page("benchmark", table="wrong"), "Trainings")
    assert wrong["MMD GEX ↓"].tolist() == pytest.approx([0.4] * len(SCORES))


def test_a_benchmark_of_an_earlier_version_has_no_calibration_and_says_so():
    app = page("benchmark", table="calibrated")
    assert not app.exception
    assert app.segmented_control[0].options == ["Scores", "Ranks"]
    assert "What each metric can tell on these data is not known" in said_on(app)
    assert "★" not in str(table_with(app, "Trainings")["Model"].tolist())


def test_ranks_stand_behind_a_switch_and_in_the_address():
    app = page("benchmark", table="ranks")
    assert "0 when each prediction is nearest to its own condition" in said_on(app)
    table = table_with(app, "Trainings")
    assert table["MMD GEX"].tolist() == pytest.approx([0.5] * len(SCORES))
    assert app.query_params["table"] == ["ranks"] or app.query_params["table"] == "ranks"


def test_one_condition_a_context_has_no_ranks_and_the_page_says_why(monkeypatch, tmp_path):
    alone = rows(conditions=("A+B",)).assign(mmd_gex_rank=np.nan, cosine_logfc_rank=np.nan)
    cells = picture(conditions=("A+B",))
    BenchmarkOutcome(about(), alone, cells[cells["kind"] != REFERENCE], AXES).write(tmp_path / "one" / "alone")
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "one"))
    app = page("benchmark", table="ranks")
    assert not app.exception
    assert UNRANKED in said_on(app)
    assert "over 12 measured cells of A+B and 12 control cells;" in said_on(app)
    assert table_with(app, "Trainings")["MMD GEX ↓"].notna().all()
    assert "table" not in app.query_params


def test_choices_are_in_the_address_and_come_back():
    app = page("benchmark")
    app.selectbox(key="bench_metric").select("cosine_logfc").run()
    app.selectbox(key="bench_place").select(("A+C", CONTEXT)).run()
    app.multiselect(key="bench_models").set_value([("cpa", 1.0), ("unet-tiny", 3.0)]).run()
    said = {key: value[0] if isinstance(value, list) else value for key, value in app.query_params.items()}
    assert said == {
        "result": "pairs", "metric": "cosine_logfc", "condition": "A+C", "context": CONTEXT,
        "models": "cpa@1,unet-tiny@3",
    }  # fmt: skip
    again = page("benchmark", **said)
    assert again.selectbox(key="bench_metric").value == "cosine_logfc"
    assert again.selectbox(key="bench_place").value == ("A+C", CONTEXT)
    titles = [note["text"] for note in drawn(again, "pictured-models")["layout"]["annotations"]]
    assert titles[:2] == ["CPA", "PRiMeFlow, w = 3"]
    assert "A+C: the cells" in said_on(again)


def test_a_link_to_what_is_not_there_falls_back():
    hostile = "[x](http://evil.example)"
    app = page("benchmark", result=hostile, metric=hostile, condition=hostile, context=hostile, models=hostile)
    assert not app.exception
    assert app.selectbox(key="bench_result").value == "pairs"
    assert app.selectbox(key="bench_metric").value == "mmd_gex"
    assert "evil" not in said_on(app)


def test_the_usual_models_are_primeflow_the_sum_and_two_others():
    app = page("benchmark")
    value = app.multiselect(key="bench_models").value
    assert value[:2] == [("unet-tiny", 1.0), ("additive", 1.0)]
    assert len(value) == 4
    assert len({recipe for recipe, _ in value}) == 4


def test_simulated_data_are_called_so_everywhere():
    app = page("benchmark", result="simulated")
    said = said_on(app)
    assert "SIMULATED data" in said
    assert "MEASURED" not in said
    assert "measured" not in said.replace("measured other", "")
    assert [trace["name"] for trace in drawn(app, "pictured-models")["data"]][2] == "Simulated"


def test_a_condition_without_cells_says_so():
    app = page("benchmark", result="simulated", condition="C+D", context=CONTEXT)
    assert "No cells of this condition were drawn" in said_on(app)
    assert "C+D: MMD GEX" in said_on(app)


def test_a_damaged_benchmark_leaves_the_others(monkeypatch, tmp_path):
    ship(tmp_path / "some" / "whole")
    (ship(tmp_path / "some" / "broken") / "benchmark.csv").write_text("model\n")
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "some"))
    app = page("benchmark")
    assert not app.exception
    assert "benchmark.csv cannot be read: it has no column guidance" in said_on(app)
    assert "Best mean of 6 models" in said_on(app)


def test_cells_that_break_later_leave_the_scores(monkeypatch, tmp_path):
    cells = ship(tmp_path / "some" / "whole") / "cells.parquet"
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "some"))
    from pages.parts.benchmark import sidebar
    from primeflow_core.errors import DataError

    def broken(*_):
        raise DataError(f"{cells} cannot be read")

    monkeypatch.setattr(sidebar, "pictured", broken)
    app = page("benchmark")
    assert not app.exception
    assert "cells.parquet cannot be read" in said_on(app)
    assert "Best mean of 6 models" in said_on(app)
    assert not page("benchmark", present="1").exception


def test_a_table_and_conditions_of_other_metrics_are_no_benchmark(monkeypatch, tmp_path):
    folder = ship(tmp_path / "some" / "broken")
    conditions = pd.read_parquet(folder / "conditions.parquet")
    conditions[[name for name in conditions if "mmd_gex" not in name]].to_parquet(folder / "conditions.parquet")
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "some"))
    app = page("benchmark")
    assert not app.exception
    assert "conditions.parquet cannot be read: it has no column mmd_gex, which benchmark.csv has" in said_on(app)


def test_a_link_to_more_models_than_are_drawn_keeps_the_first(monkeypatch, tmp_path):
    scores = {(f"m{i:02}", 1.0): (0.1 + 0.01 * i, 0.5) for i in range(14)}
    folder = tmp_path / "some" / "many"
    folder.mkdir(parents=True)
    BenchmarkOutcome(about(models=tuple(scores)), rows(scores), picture(scores), AXES).write(folder)
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "some"))
    app = page("benchmark", models=",".join(f"{name}@1" for name, _ in scores))
    assert not app.exception
    assert len(app.multiselect(key="bench_models").value) == 12


def test_what_failed_and_what_is_not_compared_is_said(monkeypatch, tmp_path):
    found = rows(conditions=("A+B", "A+C"))
    refused = found[(found["model"] != "additive") | (found["condition"] != "A+C")]
    folder = tmp_path / "some" / "partly"
    folder.mkdir(parents=True)
    BenchmarkOutcome(replace(about(), failed={"cpa-seed-3": "it *broke*."}), refused, picture(), AXES).write(folder)
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "some"))
    app = page("benchmark")
    assert not app.exception
    assert "Compared on 1 of 2 conditions: those that every model predicts." in said_on(app)
    assert "1 training failed and is not here: cpa-seed-3, it *broke*." in said_on(app)


def test_without_a_benchmark_the_page_says_how_to_make_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "none"))
    app = page("benchmark")
    assert not app.exception
    assert "There is no benchmark on this machine yet." in said_on(app)
    (code,) = app.code
    assert "primeflow benchmark simulated-screen" in code.value
    assert str(tmp_path / "benchmarks") in code.value
    assert not page("benchmark", present="1").exception


def test_the_command_of_the_empty_page_is_one_that_there_is(monkeypatch, tmp_path):
    from primeflow_core.__main__ import main

    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "none"))
    (code,) = page("benchmark").code
    for line in code.value.splitlines():
        with pytest.raises(SystemExit) as ended:
            main([*line.split()[1:], "--help"])
        assert ended.value.code == 0


def test_ones_own_stand_beside_the_shipped(monkeypatch, tmp_path):
    monkeypatch.setenv("PRIMEFLOW_BENCHMARKS", str(ship(tmp_path / "mine" / "pairs")))
    assert list(shelf().results) == ["pairs", "simulated", "pairs-yours"]
    app = page("benchmark", result="pairs-yours")
    assert app.selectbox(key="bench_result").value == "pairs-yours"
    assert "Best mean of 6" in said_on(app)


def test_a_new_benchmark_is_seen_without_a_restart(monkeypatch, tmp_path):
    place = tmp_path / "some"
    ship(place / "one")
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(place))
    assert list(shelf().results) == ["one"]
    ship(place / "two")
    assert list(shelf().results) == ["one", "two"]


def test_text_of_a_file_is_never_markup(monkeypatch, tmp_path):
    hostile = "**x** [y](http://evil.example) <b>z</b> :red[w]"
    found = rows().replace({"model": {"cpa": hostile}, "condition": {"A+B": hostile}})
    ship(tmp_path / "some" / "hostile", found, title=hostile)
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(tmp_path / "some"))
    app = page("benchmark", condition=hostile, context=CONTEXT)
    assert not app.exception
    for kind in ("header", "subheader", "caption", "markdown", "warning", "info"):
        for element in getattr(app, kind):
            text = str(element.value)
            assert "[y](http" not in text
            assert "**x**" not in text
            assert "<b>z" not in text
            assert ":red[w" not in text


def test_everything_can_be_taken_along():
    app = page("benchmark")
    saved = set(labels(app, "download_button"))
    assert {
        "Figure (SVG)", "Figure (PNG)", "Leaderboard (csv)", "Every condition (csv)", "Every condition (parquet)",
        "These values (csv)",
    } <= saved  # fmt: skip


def test_it_is_pinned_and_reported(monkeypatch):
    app = page("benchmark")
    next(button for button in app.button if button.label == "Add to report").click().run()
    assert not app.exception
    (finding,) = pages.notebooks().findings(app.session_state["_pins"])
    assert finding.title.startswith("Pairs of K562. Best mean of 6 models")
    assert len(finding.figures) == 3
    assert len(finding.tables[0].frame) == len(SCORES)
    assert finding.link.startswith("benchmark?")
    from primeflow_core.report.html_report import html_report

    report = html_report("A report", [finding], "today")
    assert "5 models were trained 3 times each on tiny.h5ad" in report
    assert "Nothing was predicted or compared" not in report


def test_it_is_presented_step_by_step():
    app = page("benchmark", present="1")
    assert "Best mean of 6 models" in said_on(app)
    assert drawn(app, "metric-of-models-figure")["data"]
    seen = []
    for _ in range(3):
        app.button(key="next").click().run()
        assert not app.exception
        seen.append(app.header[0].value)
    assert "PRiMeFlow has the best mean on 1 of 2" in seen[0]
    assert "bright is better" in seen[1]
    assert "predict, over measured ones" in seen[2]
    app.button(key="end").click().run()
    assert app.selectbox(key="bench_metric").value == "mmd_gex"


def test_a_click_names_its_condition():
    assert clicked(None) is None
    assert clicked({"selection": {"points": []}}) is None
    assert clicked({"selection": {"points": [{"customdata": [2, "Ridge", "A+B", "0.1"]}]}}) == 2
    assert clicked({"selection": {"points": [{"customdata": ["x"]}]}}) is None


def test_entries_of_an_address_are_those_there_are():
    found = shelf().results["pairs"]
    every = ",".join(map(text_of, found.entries))
    assert entries_of(every, found) == list(found.entries)
    assert entries_of("cpa@1,cpa@1,cpa@9,,x@1", found) == [("cpa", 1.0)]


ALONE = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("pages/benchmark.py", default_timeout=240).run()
assert not app.exception and not app.error, app.exception
assert len(app.get("plotly_chart")) == 4
print(*[name for name in ("torch", "scanpy", "umap", "numba") if name in sys.modules])
"""


def test_the_page_runs_alone_and_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_what_a_model_cannot_predict_is_told_with_the_reason():
    said = next(element.value for element in page("benchmark").markdown if "cannot predict" in element.value)
    assert said == f"- {pages.plain('Sum of single effects cannot predict C+D: *C* is not known.')}"
