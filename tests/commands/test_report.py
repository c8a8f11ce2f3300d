"""The command report: what it shows by itself and when asked, what it says of missing cells, what it refuses."""

import json
import shutil
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from primeflow_core.__main__ import main
from primeflow_core.commands import report, report_question
from primeflow_core.data.conditions import Condition
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import read_manifest
from tests.app_models import NAME
from tests.app_screens import made_up
from tests.screens import CONTEXT as SIM_A

FEW = ("--cells", "20", "--sampler", "euler", "--steps", "1", "--precision", "float32")
CSV = "condition,cell_type,cosine_logfc,rmse_mean,cells\n<b>A</b>+B,k562,0.5,0.1,20\nmean,,0.5,0.1,20\n"


@pytest.fixture
def model(models: Path) -> Path:
    return models / NAME


def made(model: Path, out: Path, *more: str) -> str:
    """The text of the report."""
    assert main(["report", "--model", str(model), *more, "--out", str(out)]) == 0
    if out.suffix == ".html":
        return out.read_text(encoding="utf-8")
    with zipfile.ZipFile(out) as archive:
        return archive.read("report.html").decode()


def findings(out: Path) -> list[dict]:
    with zipfile.ZipFile(out) as archive:
        return json.loads(archive.read("provenance.json"))["findings"]


def asked(condition: Condition) -> tuple[str, ...]:
    """The options that name a condition."""
    context = (word for name, value in condition.covariates for word in ("--covariate", f"{name}={value}"))
    return ("--perturbation", condition.label.lower(), *context)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_by_itself_it_shows_the_model_and_the_held_out_test_conditions(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(report_question, "MOST_UNASKED", 2)
    made(model, tmp_path / "r.zip", *FEW)
    told, tested = findings(tmp_path / "r.zip"), read_manifest(model).tested_on
    assert [one["kind"] for one in told] == ["model", "response", "response"]
    assert [one["origins"][0]["condition"] for one in told[1:]] == [one.to_json() for one in tested[:2]]
    assert "was not evaluated yet. `primeflow card" in told[0]["title"]
    assert f"The first 2 of {len(tested)} held-out test conditions" in capsys.readouterr().err


def test_it_works_offline_and_loads_nothing(model, tmp_path):
    text = made(model, tmp_path / "r.html", *asked(read_manifest(model).validated_on[0]), *FEW)
    tags = Tags(text).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe"}
    sources = [attributes["src"] or "" for tag, attributes in tags if tag == "img"]
    assert sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "Where the numbers come from" in text


def test_named_conditions_are_predicted_as_asked(model, tmp_path):
    first = read_manifest(model).tested_on[0]
    made(model, tmp_path / "r.zip", *asked(first), "--seed", "5", *FEW)
    (told,) = findings(tmp_path / "r.zip")
    (origin,) = told["origins"]
    assert (origin["cells_predicted"], origin["sampling"]["seed"], origin["sampling"]["steps"]) == (20, 5, 1)
    assert origin["held_out"]
    assert "seed=5" in told["link"]
    assert "PREDICTED 20 cells" in told["labels"]


@pytest.mark.slow
def test_the_same_command_writes_the_same_file_and_another_seed_does_not(model, tmp_path):
    first = read_manifest(model).tested_on[0]
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        made(model, tmp_path / f"{name}.zip", *asked(first), "--seed", seed, *FEW)
    a, b, c = ((tmp_path / f"{name}.zip").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_parts_that_were_never_measured_alone_are_predicted(model, tmp_path, monkeypatch):
    monkeypatch.setattr("primeflow_core.report.combination_parts.measured_parts", lambda condition, cells: {})
    pair = next(one for one in read_manifest(model).tested_on if len(one.perturbations) == 2)
    text = made(model, tmp_path / "r.zip", *asked(pair), *FEW)
    assert "Against the sum of its parts" in text


@pytest.mark.slow
def test_every_context_can_be_asked_for(model, tmp_path):
    single = next(one for one in read_manifest(model).trained_on if len(one.perturbations) == 1)
    made(model, tmp_path / "r.zip", "--perturbation", single.label, "--covariate", f"{SIM_A[0][0]}=all", *FEW)
    contexts = [one["origins"][0]["condition"]["covariates"] for one in findings(tmp_path / "r.zip")]
    assert len(contexts) == len({str(one) for one in contexts}) > 1


def test_held_out_conditions_can_be_those_of_one_context(model, tmp_path, capsys):
    tested = read_manifest(model).tested_on
    (name, value), *_ = tested[0].covariates
    made(model, tmp_path / "r.zip", "--covariate", f"{name}={value}", *FEW)
    shown = [one["origins"][0]["condition"] for one in findings(tmp_path / "r.zip")[1:]]
    assert shown == [one.to_json() for one in tested if one.covariates == tested[0].covariates][:12]
    assert len(shown) < len(tested)


def test_without_measured_cells_it_says_so_and_shows_what_it_can(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(report, "found_training_file", lambda model, manifest: None)
    text = made(model, tmp_path / "r.zip", *asked(read_manifest(model).tested_on[0]), *FEW)
    assert "are not on this machine" in capsys.readouterr().err
    assert "are not on this machine, so predictions are not compared with them" in text
    assert "20 predicted cells, nothing to compare them with." in findings(tmp_path / "r.zip")[0]["title"]
    assert "Where the cells lie" in text


def test_a_ranking_and_metrics_are_shown_and_escaped(model, tmp_path):
    from primeflow_core.screening.screen_file import write_screen

    write_screen(tmp_path / "hits.parquet", made_up(model))
    (tmp_path / "<i>m.csv").write_text(CSV)
    text = made(
        model, tmp_path / "r.zip", "--screen", str(tmp_path / "hits.parquet"), "--evaluation",
        str(tmp_path / "<i>m.csv"), "--title", "<script>alert(1)</script>",
    )  # fmt: skip
    assert [one["kind"] for one in findings(tmp_path / "r.zip")] == ["ranking", "evaluation"]
    assert "<script" not in text
    assert "<b>A" not in text
    assert "<i>m" not in text
    assert "&lt;b&gt;A&lt;/b&gt;+B" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def refused(model: Path, out: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["report", "--model", str(model), *more, "--out", str(out)]) == 2
    assert not out.is_file()
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith("primeflow: ")
    return told


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("r.pdf", (), "must end in .html or .zip"),
        ("r.html", ("--cells", "0"), "--cells is 0"),
        ("r.html", ("--perturbation", "NOSUCH"), "NOSUCH: NOSUCH is not a perturbation this model knows"),
        ("r.html", ("--perturbation", "control"), "Control cells are what candidates are compared with"),
        ("r.html", ("--covariate", "planet=mars", "--perturbation", "G1"), "has no covariate 'planet'"),
        ("r.html", ("--screen", "no.parquet"), "There is no file no.parquet"),
        ("r.html", ("--evaluation", "no.csv"), "No such file"),
    ],
)
def test_what_cannot_be_shown_is_one_line_and_no_file(model, tmp_path, capsys, name, more, said):
    assert said in refused(model, tmp_path / name, capsys, *more)


def test_a_ranking_of_other_weights_is_refused(model, tmp_path, capsys):
    from primeflow_core.screening.screen_file import write_screen

    other = tmp_path / "other"
    shutil.copytree(model, other)
    write_screen(tmp_path / "hits.parquet", made_up(model))
    with (other / checkpoint.WEIGHTS).open("ab") as weights:
        weights.write(b" ")
    told = refused(other, tmp_path / "r.html", capsys, "--screen", str(tmp_path / "hits.parquet"))
    assert "was made by other weights" in told
    assert "Name the model that made it." in told


def test_a_model_that_held_nothing_out_shows_its_first_view(model, tmp_path, capsys):
    from dataclasses import replace

    bare = tmp_path / "bare"
    shutil.copytree(model, bare)
    checkpoint.write_manifest(bare, replace(read_manifest(bare), tested_on=()))
    made(bare, tmp_path / "r.zip", *FEW)
    first = read_manifest(bare).first_view
    assert isinstance(first, Condition)
    assert f"the report shows {first.label}" in capsys.readouterr().err
    assert "held out no condition for test" in refused(bare, tmp_path / "s.html", capsys, "--held-out", "test")
