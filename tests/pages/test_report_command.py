"""The command report and the page Report: the same question gives the same files, byte by byte."""

import shutil
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import pages
from primeflow_core.__main__ import main
from primeflow_core.models.checkpoint import read_manifest
from primeflow_core.report.finding import Finding
from primeflow_core.report.pinned_findings import TITLE
from primeflow_core.report.zip_bundle import bundle
from primeflow_core.wording import day_in_words
from tests.app import page
from tests.app_models import NAME
from tests.app_screens import made_up, ship


@pytest.fixture(scope="module")
def ranked(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a model that comes with cells of its first view and with a ranking."""
    place = tmp_path_factory.mktemp("reported")
    shutil.copytree(models / NAME, place / NAME)
    ship(place / NAME, made_up(place / NAME))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRIMEFLOW_CHECKPOINTS", str(place))
        yield place / NAME


def pinned(app: AppTest) -> Finding:
    """What the page adds to the report."""
    next(button for button in app.button if button.label == "Add to report").click().run()
    assert not app.exception
    (finding,) = pages.notebooks().findings(app.query_params["pins"])
    return finding


def files_of(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def assert_same(finding: Finding, folder: Path, *arguments: str) -> None:
    (folder / "page.zip").write_bytes(bundle(TITLE, [finding], day_in_words(date.today())))
    assert main(["report", *arguments, "--out", str(folder / "command.zip")]) == 0
    page_files, command_files = files_of(folder / "page.zip"), files_of(folder / "command.zip")
    assert page_files.keys() == command_files.keys()
    for name, content in page_files.items():
        assert command_files[name] == content, name


def test_a_condition_is_reported_as_the_page_pins_it(ranked, tmp_path):
    first = read_manifest(ranked).first_view
    assert first is not None
    finding = pinned(page("explore"))
    assert "Combination effect" in [table.name for table in finding.tables]
    assert_same(finding, tmp_path, "--model", str(ranked), "--perturbation", first.label)


def test_a_ranking_is_reported_as_the_page_pins_it(ranked, tmp_path):
    finding = pinned(page("screen"))
    assert [figure.title for figure in finding.figures] == ["The first of the ranking", "All pairs"]
    assert_same(finding, tmp_path, "--model", str(ranked), "--screen", str(ranked / "screens" / "effect.parquet"))
