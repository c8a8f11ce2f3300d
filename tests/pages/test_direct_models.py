"""Pages with a model that is no flow: nothing that does nothing is offered, nothing that is not so is claimed."""

import pytest

import pages
from pages.parts.shared import entries
from primeflow_core.data.datasets import open_cells
from primeflow_core.data.simulated_screen import default_split
from primeflow_core.models import checkpoint
from primeflow_core.training.recipes.registry import adjusted, recipe_named
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from tests.app import labels, opened, page, text_of, until_done

NAME = "linear-screen"
WEIGHT = "Guidance weight"


@pytest.fixture(scope="module")
def models(models):
    """Beside the tiny flow one of Linear Additive, with a preview of its first view."""
    cells = open_cells("simulated-screen")
    recipe = adjusted(recipe_named("linear"), ["steps=20", "epochs=0"])
    source = Source(cells, default_split(cells), "simulated-screen", True)
    folder = models / NAME
    train(prepare(source, recipe, folder, seed=0, device="cpu", resume=False, command=[]), folder)
    manifest = checkpoint.read_manifest(folder)
    shipped = checkpoint.load(folder).predict(manifest.first_view, 40, manifest.sampling)
    checkpoint.write_preview(folder, {manifest.first_view: shipped})
    yield models
    for file in sorted(folder.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    folder.rmdir()


def test_explore_offers_no_guidance_and_tells_of_no_steps(models):
    app = opened(model=NAME)
    assert not app.exception
    assert not app.error
    assert WEIGHT not in labels(app, "slider")
    assert "w" not in app.query_params
    said = text_of(app)
    assert "Sampling: in one pass, seed 0, zeros clip" in said
    assert "guidance" not in said.lower()
    assert "as the model learned it; more exaggerates" not in said


def test_a_link_with_a_guidance_weight_still_predicts(models):
    app = opened(model=NAME, w="3", cells="20")
    assert not app.exception
    app = until_done(app.button(key="predict").click().run())
    assert not app.exception
    assert not app.error
    assert "20 predicted cells. Sampling: in one pass" in text_of(app)


def test_a_flow_keeps_its_guidance_weight(models):
    assert WEIGHT in labels(opened(model="tiny-screen"), "slider")


def test_compare_offers_no_weights_and_takes_none_from_a_link(models):
    library = pages.library()
    keys = {button.key for button in page("compare", model=NAME).button}
    assert "begin-held-out" in keys
    assert "begin-weights" not in keys
    assert "begin-weights" in {button.key for button in page("compare", model="tiny-screen").button}
    model = library.models[NAME]
    condition = model.manifest.first_view
    values = [value for _, value in condition.covariates]
    said = [NAME, [part.name for part in condition.perturbations], values, 3.0, 50, 0]
    assert entries.entry_of(library, said).question.plan.guidance == 1


def test_rank_offers_no_guidance(models):
    app = page("screen", model=NAME)
    assert not app.exception
    assert WEIGHT not in labels(app, "slider")


def test_about_tells_what_it_is(models):
    app = page("about", model=NAME)
    assert not app.exception
    told = "\n".join(table.value.to_string() for table in app.table).replace("\\", "")
    assert "in one pass" in told
    assert "Student" not in told
