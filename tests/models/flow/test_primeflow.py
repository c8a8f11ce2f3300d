"""PRiMeFlow as a Predictor: reproducible, batched, cancellable, with honest zeros."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from primeflow_core.errors import ConditionError, SettingError
from primeflow_core.models.predictor import Batch
from primeflow_core.models.sampling_plan import EXPONENTIAL, SamplingPlan
from primeflow_core.models.space import smallest_nonzero, to_expression
from tests.tiny import VOCABULARY, cells, condition, model

PLAN = SamplingPlan(steps=3, precision="float32")


def chunks():
    training = cells()
    return [
        Batch(
            torch.from_numpy(training.dense()),
            torch.from_numpy(VOCABULARY.encode(training.condition_list(range(len(training))))),
        )
    ]


@pytest.fixture(scope="module", params=[0, 3], ids=["network alone", "beside a Gaussian"])
def predictor(request):
    torch.manual_seed(0)
    made = model(factors=request.param)
    made.fit_statistics(chunks)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return made


def samplers_of(predictor):
    """All but the student, who must be taught first; the exponential one only beside a Gaussian."""
    found = set(predictor.samplers)
    assert (EXPONENTIAL in found) == (predictor.gaussian is not None)
    return found


def test_the_exponential_sampler_is_refused_by_a_model_without_a_gaussian_part():
    with pytest.raises(SettingError, match=r"factors=0.*euler"):
        model().predict(condition("A"), 2, replace(PLAN, sampler=EXPONENTIAL))


@pytest.mark.slow
@pytest.mark.parametrize("weight", [*(pytest.param(w, marks=pytest.mark.long) for w in (0.0, 1.0)), 3.0])
def test_samplers_agree_when_steps_are_many(predictor, weight):
    known = samplers_of(predictor) - {"euler"}
    plans = [replace(PLAN, sampler=name, steps=100, guidance=weight) for name in sorted(known)]
    first, *others = (predictor.predict(condition("A", "B"), 5, plan) for plan in plans)
    for other in others:
        np.testing.assert_allclose(first, other, atol=0.03)


def test_cells_are_finite_and_not_negative(predictor):
    for sampler in samplers_of(predictor):
        made = predictor.predict(condition("A", "B"), 7, replace(PLAN, sampler=sampler))
        assert made.shape == (7, 11)
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
        assert (made >= 0).all()


def test_the_same_seed_gives_the_same_cells_and_another_seed_others(predictor):
    first, again, other = (predictor.predict(condition("A"), 9, replace(PLAN, seed=seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_batch_size_does_not_change_the_cells(predictor):
    whole = predictor.predict(condition("A"), 10, PLAN)
    parts = predictor.predict(condition("A"), 10, replace(PLAN, batch_size=3))
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_half_precision_products_change_the_cells_by_little(predictor):
    full = predictor.predict(condition("A"), 10, PLAN)
    half = predictor.predict(condition("A"), 10, replace(PLAN, precision="bfloat16"))
    assert half.dtype == np.float32
    assert not np.array_equal(full, half)
    np.testing.assert_allclose(full, half, atol=0.1)


def test_what_the_plan_leaves_open_is_settled_for_the_device_and_gives_the_same_cells(predictor, monkeypatch):
    for able, precision in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr("primeflow_core.models.precision._multiplies_bfloat16", lambda device, able=able: able)
        settled = predictor.settled(replace(PLAN, precision="auto"))
        assert settled.precision == precision
        open_plan = predictor.predict(condition("A"), 4, replace(PLAN, precision="auto"))
        assert np.array_equal(open_plan, predictor.predict(condition("A"), 4, settled))
    assert predictor.settled(replace(PLAN, precision="bfloat16")).precision == "bfloat16"


def test_progress_names_every_step_of_every_batch(predictor):
    seen = []
    made = predictor.predict(condition("A"), 5, replace(PLAN, batch_size=3), seen.append)
    assert [(p.first, p.step, p.cells) for p in seen] == [
        (0, 1, 5), (0, 2, 5), (0, 3, 5), (3, 1, 5), (3, 2, 5), (3, 3, 5)
    ]  # fmt: skip
    assert seen[0].state.shape == (3, 11)
    assert np.array_equal(np.concatenate([p.state for p in seen if p.step == p.steps]), made)


def test_an_exception_from_progress_ends_the_prediction(predictor):
    class CancelledError(Exception):
        pass

    def cancel(progress):
        raise CancelledError

    with pytest.raises(CancelledError):
        predictor.predict(condition("A"), 5, PLAN, cancel)


@pytest.mark.parametrize("count", [0, -1, 10**9])
def test_an_impossible_number_of_cells_is_refused(predictor, count):
    with pytest.raises(SettingError, match="cells"):
        predictor.predict(condition("A"), count, PLAN)


def test_an_unknown_perturbation_is_refused(predictor):
    with pytest.raises(ConditionError, match="Z is not a perturbation this model knows"):
        predictor.predict(condition("A", "Z"), 5, PLAN)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sampler": "heun"},
        {"zeros": "all"},
        {"steps": 0},
        {"guidance": -1.0},
        {"seed": -1},
        {"batch_size": 0},
        {"precision": "half"},
    ],
)
def test_an_impossible_plan_is_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        SamplingPlan(**wrong)


def test_smallest_nonzero_by_hand():
    values = torch.tensor([[0.0, 2.0, 0.0], [0.5, 1.0, 0.0]])
    assert smallest_nonzero(values).tolist() == [0.5, 1.0, torch.inf]


@pytest.mark.parametrize(
    ("zeros", "expected"),
    [("clip", [0.0, 0.4, 0.8, 0.1]), ("half-smallest", [0.0, 0.0, 0.8, 0.0]), ("smallest", [0, 0, 0, 0])],
)
def test_zero_handling_by_hand(zeros, expected):
    values = torch.tensor([[-1.0, 0.4, 0.8, 0.1]])
    smallest = torch.tensor([1.0, 1.0, 1.0, torch.inf])
    torch.testing.assert_close(to_expression(values, smallest, zeros), torch.tensor([expected], dtype=torch.float32))
