"""The link to a condition says what differs from what the page opens on."""

from dataclasses import replace
from pathlib import Path

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.model_store.local_models import Model
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.report.condition_link import condition_link
from tests.pinned import PAIR, manifest

MODEL = Model(Path("m"), manifest(), 0, key="k562-pairs")
QUESTION = PredictionRequest(Path("m"), 0, PAIR, 200, SamplingPlan())


def test_what_is_usual_is_left_out():
    assert condition_link(MODEL, QUESTION, 200) == "explore?model=k562-pairs&context=k562&a=A&b=B"


def test_doses_guidance_cells_and_seed_are_said():
    drug = Condition((Perturbation("drug & more", 0.5),), PAIR.covariates)
    question = replace(QUESTION, condition=drug, cells=50, plan=SamplingPlan(guidance=2.0, seed=7))
    assert condition_link(MODEL, question, 200) == (
        "explore?model=k562-pairs&context=k562&a=drug+%26+more&dose_a=0.5&w=2&cells=50&seed=7"
    )
