"""The contract of a solver: a made-up one is a single row of the registry, and everything knows it."""

from dataclasses import replace

import numpy as np
import pytest

from primeflow_core.__main__ import main
from primeflow_core.errors import SettingError
from primeflow_core.model_store.local_models import Model
from primeflow_core.model_store.model_card_text import card_text
from primeflow_core.model_store.model_summary import facts_of
from primeflow_core.models import checkpoint
from primeflow_core.models.flow.solvers import registry
from primeflow_core.models.flow.solvers.solver import Needs, Solver
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.prediction.generation import provenance
from primeflow_core.prediction.prediction_job import evaluations
from primeflow_core.report.methods_text import methods_paragraph
from tests import tiny
from tests.pinned import finding, manifest, origin


def leap(velocity, x_0, steps, on_step):
    """All of the way by the velocity at the start, in as many equal reports as there are steps."""
    x_1 = x_0 + velocity(x_0, 0.0)
    for step in range(steps):
        on_step(step + 1, x_1)
    return x_1


LEAP = Solver("leap", usual_steps=3, order=1, words="leaping along the model's flow", solve=leap, evaluations=5)


@pytest.fixture
def made_up(monkeypatch):
    monkeypatch.setattr(registry, "SOLVERS", (*registry.SOLVERS, LEAP))
    return LEAP


@pytest.fixture
def predictor():
    made, cells = tiny.model(), tiny.cells()
    made.smallest.fill_(0.1)
    assert cells.genes == made.genes
    return made


def test_every_name_is_one_row_and_every_record_can_be_planned():
    names = registry.solver_names()
    assert len(set(names)) == len(names)
    for solver in registry.all_solvers():
        assert SamplingPlan().by(solver.name).steps == solver.usual_steps
        assert solver.words
        assert (solver.solve is None) == (solver.needs is Needs.NO_FLOW)


def test_without_its_row_nobody_knows_it():
    with pytest.raises(SettingError, match="sampler is 'leap'; it must be one of euler"):
        SamplingPlan("leap")


def test_plans_take_it_in_its_usual_steps(made_up, monkeypatch):
    plan = SamplingPlan(seed=4).by("leap")
    assert (plan.sampler, plan.steps, plan.seed, plan.way) == ("leap", 3, 4, "leap, 3 steps")
    assert evaluations(2, plan) == 2 * 3 * 5
    assert evaluations(2, replace(plan, guidance=2.0)) == 2 * 3 * 5 * 2
    monkeypatch.setattr(registry, "SOLVERS", (replace(LEAP, fixed_steps=True),))
    with pytest.raises(SettingError, match="steps is 2; the sampler leap makes cells in 3 steps"):
        SamplingPlan("leap", 2)


def test_a_flow_is_sampled_with_it(made_up, predictor):
    told = []
    plan = SamplingPlan(precision="float32", seed=1).by("leap")
    assert "leap" in predictor.samplers
    cells = predictor.predict(tiny.condition("A"), 5, plan, told.append)
    one_euler_step = predictor.predict(tiny.condition("A"), 5, replace(plan, sampler="euler", steps=1))
    assert np.array_equal(cells, one_euler_step)
    assert [progress.step for progress in told] == [1, 2, 3]


@pytest.mark.parametrize(("needs", "message"), [(Needs.GAUSSIAN, "factors=0"), (Needs.STUDENT, "no student yet")])
def test_what_it_needs_is_asked_of_the_model(monkeypatch, predictor, needs, message):
    monkeypatch.setattr(registry, "SOLVERS", (*registry.SOLVERS, replace(LEAP, needs=needs)))
    assert "leap" not in predictor.samplers
    with pytest.raises(SettingError, match=message):
        predictor.predict(tiny.condition("A"), 2, SamplingPlan().by("leap"))


def test_the_command_line_offers_it(made_up, capsys):
    for command in ("generate", "screen"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        shown = " ".join(capsys.readouterr().out.split())
        assert "leap" in shown, command
        assert "3 for leap" in shown, command


def test_texts_cards_and_files_tell_of_it(made_up, tmp_path):
    plan = SamplingPlan(seed=7).by("leap")
    of = replace(manifest(), sampling=plan)
    text = methods_paragraph([finding(origins=(replace(origin(), manifest=of, plan=plan),))])
    assert "Cells were made in 3 steps by leaping along the model's flow, seed 7" in text
    assert dict(facts_of(Model(tmp_path, of, 1)))["Sampling"].startswith("leap, 3 steps")
    metrics = {
        "command": [], "cells_per_condition": 5, "sampling": {"seed": 0}, "scored": {}, "zeros_tried_on_val": {}
    }  # fmt: skip
    told = replace(of, provenance={**of.provenance, "command": ["primeflow", "train"]})
    assert "Sampling: leap, 3 steps" in card_text(told, metrics, {}, None)
    assert provenance(of, plan, of.trained_on[:1])["sampling"]["sampler"] == "leap"
    checkpoint.write_manifest(tmp_path, of)
    assert checkpoint.read_manifest(tmp_path).sampling == plan
