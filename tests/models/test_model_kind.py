"""What is said of a model that is no flow, or no flow from noise: by the report's methods, the cards and the pages."""

from dataclasses import replace

import pytest

from primeflow_core.model_store.local_models import Model
from primeflow_core.model_store.model_summary import facts_of
from primeflow_core.models.model_kind import from_noise, is_flow, is_guided, way_of
from primeflow_core.models.sampling_plan import DIRECT, SamplingPlan
from primeflow_core.prediction.prediction_job import ModelShelf
from primeflow_core.report.methods_text import methods_paragraph
from primeflow_core.training.recipes.registry import RECIPES, recipe_named
from primeflow_core.training.run import usual_sampling
from tests.pinned import finding, manifest, origin


def described(name):
    """The description that a training of the recipe writes, without the training."""
    recipe = recipe_named(name)
    return replace(manifest(), recipe=name, settings=recipe.settings(), sampling=usual_sampling(recipe))


def methods_of(name, **plan):
    of = described(name)
    return methods_paragraph([finding(origins=(replace(origin(), manifest=of, plan=replace(of.sampling, **plan)),))])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_guidance_is_offered_exactly_where_the_model_takes_it(recipe):
    flow = recipe.rows.get("flow")
    of = described(recipe.name)
    assert is_flow(of) == (flow is not None)
    assert is_guided(of) == (flow is not None and flow.prob_unconditional > 0)
    assert from_noise(of) == (flow is not None and flow.source == "gaussian")


def test_only_flows_from_noise_carry_noise():
    assert way_of(described("unet-tiny")) == "carries Gaussian noise to cells by flow matching in the space of 2 genes"
    assert "principal components of 2 genes" in way_of(described("fm-tiny"))
    transported = way_of(described("fm-ot-tiny"))
    assert transported.startswith(
        "carries control cells of the context to perturbed ones, paired by optimal transport,"
    )
    for name in ("fm-ot-tiny", "cpa", "linear"):
        assert "noise" not in methods_of(name)


def test_methods_of_a_model_without_steps_tell_of_no_step_and_no_guidance():
    text = methods_of("cpa", seed=7)
    assert "predicted with the model k562-pairs (recipe cpa" in text
    assert "CPA; Lotfollahi et al. 2023" in text
    assert "Cells were made in one pass, seed 7; negative values were set to 0." in text
    for word in ("flow", "guidance", "step"):
        assert word not in text.split("Software")[0].lower().replace("primeflow", "")


def test_the_card_of_a_baseline_names_no_solver_and_no_student(tmp_path):
    facts = dict(facts_of(Model(tmp_path, described("linear"), 1)))
    assert facts["Sampling"] == "in one pass, zeros clip; no guidance"
    assert "Student" not in facts
    assert facts["What it does"].startswith("It moves control cells by a learnt constant")
    assert facts["What it cannot do"].startswith("It cannot learn that a perturbation acts differently")
    unguided = dict(facts_of(Model(tmp_path, described("mlp-1"), 1)))
    assert unguided["Sampling"].endswith("no guidance")
    assert "Student" in unguided
    assert "guidance" not in dict(facts_of(Model(tmp_path, described("unet-tiny"), 1)))["Sampling"]


def test_cells_in_one_pass_are_expected_sooner_than_those_of_a_flow(tmp_path):
    shelf = ModelShelf()
    direct = shelf.expected_seconds(tmp_path, described("cpa"), 1000, SamplingPlan(DIRECT, 1))
    flow = shelf.expected_seconds(tmp_path, described("unet-tiny"), 1000, described("unet-tiny").sampling)
    assert direct - shelf.SECONDS_TO_LOAD < 0.2 * (flow - shelf.SECONDS_TO_LOAD)
