"""A model folder that cannot be read is named on every page with models, and everything else works."""

import json
import shutil
from pathlib import Path

import pytest

import pages
from primeflow_core.models.checkpoint import CONFIG, PREVIEW
from tests.app import page, text_of
from tests.app_models import NAME

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def with_broken(models: Path, tmp_path_factory):
    """The models of the app, one of them with a damaged preview, and two folders whose descriptions are damaged."""
    place = tmp_path_factory.mktemp("broken") / "models"
    shutil.copytree(models, place)
    whole = (place / NAME / PREVIEW).read_bytes()
    (place / NAME / PREVIEW).write_bytes(whole[:400] + bytes(200) + whole[600:])
    described = json.loads((place / NAME / CONFIG).read_text())
    vocabulary = described["vocabulary"]
    for name, change in (
        ("odd-doses", {"vocabulary": {**vocabulary, "highest_dose": [[]] * len(vocabulary["highest_dose"])}}),
        ("odd-date", {"created": "../../etc/passwd"}),
    ):
        (place / name).mkdir()
        (place / name / CONFIG).write_text(json.dumps({**described, **change}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRIMEFLOW_CHECKPOINTS", str(place))
        yield place


@pytest.mark.parametrize("name", [page.name for page in pages.PAGES])
def test_every_page_opens(with_broken, name):
    app = page(name)
    assert not app.exception
    assert NAME in pages.library().models


def test_what_is_broken_is_named(with_broken):
    said = text_of(page("explore"))
    for folder in (with_broken / "odd-doses" / CONFIG, with_broken / "odd-date" / CONFIG, with_broken / NAME / PREVIEW):
        assert str(folder) in said
