"""A student learns what its teacher makes, is judged by measured cells, and stands in only where it is as good."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from primeflow_core.data.conditions import Condition, Perturbation, Vocabulary
from primeflow_core.data.splits import Split, read_split
from primeflow_core.errors import CheckpointError, DataError, SettingError
from primeflow_core.models import checkpoint
from primeflow_core.models.flow.student import HALFWAY, Student
from primeflow_core.models.predictor import Batch
from primeflow_core.models.sampling_plan import EXPONENTIAL, STUDENT, SamplingPlan
from primeflow_core.training.batches import CellSource
from primeflow_core.training.distillation import apprenticeship
from primeflow_core.training.distillation.apprenticeship import StudentComparison, apprentice
from primeflow_core.training.distillation.lessons import KnownCells, TeachersCells
from primeflow_core.training.distillation.questions import question
from primeflow_core.training.distillation.teaching import DistillationConfig, distill, energy_score
from primeflow_core.training.distillation.verdict import Judged, judge
from primeflow_core.training.trainer import Trainer, train
from tests import tiny
from tests.models.test_checkpoint import manifest
from tests.tiny import CONDITIONS, VOCABULARY, condition

TRAINED_ON = CONDITIONS[:3]
QUICK = DistillationConfig(steps=80, groups=2, cells=8, questions=30, answers=12, learning_rate=2e-3, warmup=5, ema=0.9)
PLAN = SamplingPlan(EXPONENTIAL, 4, precision="float32")


def teacher():
    """A model whose network bends the velocity, and differently for each condition."""
    torch.manual_seed(0)
    made, cells = tiny.model(factors=3), tiny.cells()
    condition = torch.from_numpy(VOCABULARY.encode(cells.condition_list(range(len(cells)))))
    made.fit_statistics(lambda: [Batch(torch.from_numpy(cells.dense()), condition)])
    with torch.no_grad():
        for parameter in made.field.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    return made.eval()


def training():
    cells = tiny.cells()
    return cells.subset(np.flatnonzero(cells.condition_of < 3))


def taught(predictor, config=QUICK, seed=0):
    return distill(predictor, training(), TRAINED_ON, "clip", config, seed, lambda what, done, of: None)


def error_of(predictor, student, guidance):
    predictor.student = student
    plans = (
        replace(PLAN, guidance=guidance, seed=9),
        replace(PLAN, sampler=STUDENT, steps=1, guidance=guidance, seed=9),
    )
    of_teacher, of_student = (predictor.predict(condition("A", "B"), 200, plan) for plan in plans)
    return float(np.square(of_teacher - of_student).mean())


def test_the_untaught_student_is_the_exponential_midpoint_rule():
    predictor = teacher()
    student = Student(predictor.field.config, 11, VOCABULARY.size).eval()
    student.start_as(predictor.field)
    x_0 = torch.randn(6, 11, generator=torch.Generator().manual_seed(1))
    asked = torch.from_numpy(VOCABULARY.encode([condition("A")])).expand(6, -1)
    gaussian, mean = predictor.gaussian, predictor.gaussian.mean_of(asked, 1.0)
    with torch.no_grad():
        halfway = gaussian.carried(x_0, mean, 0.0, HALFWAY)
        learned = predictor.field(halfway, torch.full((6,), HALFWAY), asked, torch.zeros(6, dtype=torch.bool))
        expected = gaussian.carried(x_0, mean, 0.0, 1.0) + gaussian.gain(0.0, 1.0) * learned
        torch.testing.assert_close(student(gaussian, x_0, asked, torch.ones(6)), expected)
        assert not torch.allclose(student(gaussian, x_0, asked, torch.full((6,), 3.0)), expected)


@pytest.mark.slow
def test_teaching_brings_the_student_to_its_teacher_over_all_guidance_weights():
    predictor = teacher()
    untaught = Student(predictor.field.config, 11, VOCABULARY.size).eval()
    untaught.start_as(predictor.field)
    before = [error_of(predictor, untaught, guidance) for guidance in (1.0, 2.0, 3.0, 4.0)]
    # The teacher alone: measured cells would lead away from a teacher that has learned nothing.
    student = taught(predictor, replace(QUICK, known=0.0))
    after = [error_of(predictor, student, guidance) for guidance in (1.0, 2.0, 3.0, 4.0)]
    assert sum(after) < 0.75 * sum(before)


@pytest.mark.long
@pytest.mark.slow
def test_measured_cells_teach_what_the_teacher_gets_wrong():
    predictor, cells = teacher(), training()
    predictor.gaussian.mean += 1.0
    measured = cells.dense(cells.where(condition("A"))).mean(axis=0)
    plan = replace(PLAN, sampler=STUDENT, steps=1)

    def error(known):
        predictor.student = taught(predictor, replace(QUICK, known=known, composed=0.0, steps=40))
        return float(np.square(predictor.predict(condition("A"), 400, plan).mean(axis=0) - measured).mean())

    assert error(1.0) < 0.5 * error(0.0)


@pytest.mark.slow
def test_the_same_seed_teaches_the_same_student_and_leaves_the_teacher_alone():
    predictor = teacher()
    weights = {name: tensor.clone() for name, tensor in predictor.state_dict().items()}
    short = replace(QUICK, steps=3, questions=4)
    first, again, other = (taught(predictor, short, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert all(torch.equal(weights[name], tensor) for name, tensor in predictor.state_dict().items())


def test_the_energy_score_of_small_sets_by_hand():
    made, cells = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [4.0]])
    # E|x-y| = (1 + 4 + 1 + 2) / 4, E|x-x'| = 2, E|y-y'| = 3; without the pairs (0, 1) and (2, 4): (4 + 1) / 2.
    assert energy_score(made, cells, paired=False).item() == pytest.approx(2 * 2 - 2 - 3, abs=1e-2)
    assert energy_score(made, cells, paired=True).item() == pytest.approx(2 * 2.5 - 2 - 3, abs=1e-2)


def test_the_energy_score_is_unbiased_for_cells_of_one_distribution():
    draws = torch.randn(400, 2, 16, 3, generator=torch.Generator().manual_seed(0))
    scores = torch.stack([energy_score(x, y, paired=False) for x, y in draws])
    assert abs(scores.mean()) < 4 * scores.std() / len(scores) ** 0.5


def test_questions_are_of_known_parts_doses_and_contexts():
    contexts = [(("cell", "x"),), (("cell", "y"),)]
    parts = [Perturbation("A", 1.0), Perturbation("A", 10.0), Perturbation("B"), Perturbation("C"), Perturbation("D")]
    trained_on = [Condition((), contexts[0]), *(Condition((part,), contexts[1]) for part in parts)]
    asked = [question(trained_on, np.random.default_rng(i)) for i in range(600)]
    assert {part for one in asked for part in one.condition.perturbations} == set(parts)
    assert {one.condition.covariates for one in asked} == set(contexts)
    assert {len(one.condition.perturbations) for one in asked} == {0, 1, 2, 3}
    for one in asked:
        names = [part.name for part in one.condition.perturbations]
        assert names == sorted(set(names))
        assert 1 <= one.guidance <= 5
    assert 0.2 < np.mean([one.guidance == 1 for one in asked]) < 0.3
    only = [question([Condition((), contexts[0])], np.random.default_rng(i)).condition for i in range(20)]
    assert {one.label for one in only} == {"control"}


def test_lessons_hold_what_the_teacher_makes_of_their_noise():
    predictor = teacher()
    cells = TeachersCells(predictor, TRAINED_ON, 3, 6)
    cells.make(5, lambda made: None)
    lesson = cells.lesson(4, np.random.default_rng(0))
    assert lesson.paired
    plan = SamplingPlan(EXPONENTIAL, 4, lesson.guidance)
    with torch.inference_mode():
        again = predictor.solved(lesson.x_0, lesson.condition[None], plan, lambda step, x_t: None)
    torch.testing.assert_close(lesson.x_1, again, atol=1e-3, rtol=1e-3)


def test_known_cells_are_measured_or_composed():
    predictor, cells = teacher(), training()
    pair = torch.from_numpy(VOCABULARY.encode([condition("A", "B")]))[0]
    for share, expected in ((0.0, 0.0), (1.0, 1.0)):
        known = KnownCells(predictor, cells, share, 0)
        lessons = [known.lesson(5, np.random.default_rng(i)) for i in range(20)]
        assert np.mean([torch.equal(lesson.condition, pair) for lesson in lessons]) == expected
        assert all(lesson.x_1.shape == (5, 11) and not lesson.paired and lesson.guidance == 1 for lesson in lessons)
    with pytest.raises(DataError, match="training cells"):
        KnownCells(predictor, cells.subset(np.zeros(0, dtype=int)), 0.5, 0)


def test_what_can_have_no_student_is_said():
    with pytest.raises(SettingError, match="factors=0"):
        taught(tiny.model())
    with pytest.raises(SettingError, match="primeflow distill"):
        teacher().predict(condition("A"), 2, SamplingPlan(STUDENT, 1))
    with pytest.raises(SettingError, match="one step"):
        SamplingPlan(STUDENT, 2)
    predictor = teacher()
    predictor.student = taught(predictor, replace(QUICK, steps=1, questions=1))
    for guidance in (0.5, 5.5):
        with pytest.raises(SettingError, match=f"this is {guidance:g}"):
            predictor.predict(condition("A"), 2, SamplingPlan(STUDENT, 1, guidance))
    for wrong in ({"steps": 0}, {"cells": 1}, {"cells": 99}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            DistillationConfig(**wrong)


@pytest.fixture
def folder(tmp_path):
    """A stored model whose pair A+B is held out for test."""
    cells = tiny.cells()
    parts = np.where(cells.condition_of == 3, "test", np.where(np.arange(len(cells)) % 2, "train", "test"))
    parts[(cells.condition_of > 0) & (cells.condition_of < 3)] = "train"
    settings = {**tiny.RECIPE.settings()}
    settings["flow"] = {**settings["flow"], "factors": 3}
    described = replace(manifest(), settings=settings, sampling=PLAN, data_sha256=cells.sha256)
    checkpoint.write_manifest(tmp_path, described)
    checkpoint.write_weights(tmp_path, teacher().state_dict(), {"step": "12"})
    Split(cells.names, parts).write(tmp_path / checkpoint.SPLIT)
    return tmp_path


def make_student(folder):
    short = replace(QUICK, steps=3, questions=4)
    return apprentice(folder, tiny.cells(), short, 0, "cpu", ["as", "typed"], lambda what, done, of: None)


JUDGED = Judged("held out", 1.0, teacher=0.03, student=0.035, spread=0.001, controls=0.6)


def test_a_student_is_good_within_the_spread_of_seeds_or_a_hundredth_of_the_way():
    assert JUDGED.good
    assert not replace(JUDGED, student=0.037).good
    assert replace(JUDGED, student=0.037, spread=0.008).good
    assert replace(JUDGED, student=0.01).good
    assert StudentComparison((JUDGED,)).default
    assert not StudentComparison((JUDGED, replace(JUDGED, student=0.5))).default
    assert not StudentComparison(()).default


@pytest.mark.parametrize("good", [True, False])
def test_a_stored_student_makes_the_cells_only_where_it_is_good(folder, monkeypatch, good):
    row = JUDGED if good else replace(JUDGED, student=0.5)
    monkeypatch.setattr(apprenticeship, "judge", lambda *given: (row,))
    assert make_student(folder).default is good
    sampling = checkpoint.read_manifest(folder).sampling
    assert (sampling.sampler, sampling.steps) == ((STUDENT, 1) if good else (EXPONENTIAL, 4))
    predictor = checkpoint.load(folder)
    assert predictor.predict(condition("A"), 3, replace(sampling, sampler=STUDENT, steps=1)).shape == (3, 11)
    assert '"student": 0.5' in checkpoint.read_student_notes(folder)["judged"] or good


@pytest.mark.slow
def test_both_are_sampled_for_every_kind_of_condition_and_guidance(folder):
    judged = make_student(folder).judged
    assert [(row.conditions, row.guidance) for row in judged] == [
        ("seen in training", 1.0), ("seen in training", 3.0), ("held out", 1.0), ("held out", 3.0),
    ]  # fmt: skip
    assert np.isfinite([(row.teacher, row.student, row.controls) for row in judged]).all()


@pytest.mark.slow
def test_a_teacher_is_as_good_as_itself_with_guidance(folder):
    predictor, cells = checkpoint.load(folder), tiny.cells()
    predictor.student = Student(predictor.field.config, 11, VOCABULARY.size)
    rows = judge(predictor.eval(), cells, read_split(folder / checkpoint.SPLIT, cells), PLAN, lambda *told: None)
    guided = [row for row in rows if row.guidance == 3]
    assert all(abs(row.teacher) < 0.02 < row.controls for row in guided)
    assert [row.beside for row in rows] == ["measured", "the teacher's other"] * 2


def test_conditions_that_cannot_be_asked_for_are_not_compared(folder):
    described = checkpoint.read_manifest(folder)
    without_b = Vocabulary.from_conditions(CONDITIONS[:2])
    checkpoint.write_manifest(folder, replace(described, vocabulary=without_b, trained_on=CONDITIONS[:2]))
    torch.manual_seed(0)
    predictor = checkpoint.build(checkpoint.read_manifest(folder))
    predictor.student = Student(predictor.field.config, 11, without_b.size)
    cells = tiny.cells()
    judged = judge(predictor.eval(), cells, read_split(folder / checkpoint.SPLIT, cells), PLAN, lambda *told: None)
    assert {row.conditions for row in judged} == {"seen in training"}


@pytest.mark.slow
def test_a_student_of_other_weights_is_refused_and_half_precision_is_not(folder):
    make_student(folder)
    predictor = checkpoint.load(folder)
    half = {name: one.half() for name, one in checkpoint.own_weights(predictor).items()}
    checkpoint.write_weights(folder, half, {})
    checkpoint.load(folder)
    with torch.no_grad():
        next(predictor.field.parameters()).add_(1.0)
    checkpoint.write_weights(folder, checkpoint.own_weights(predictor), {})
    with pytest.raises(CheckpointError, match="taught by other weights"):
        checkpoint.load(folder)
    make_student(folder)  # what the message says to do
    checkpoint.load(folder)


def test_a_damaged_student_is_named(folder):
    (folder / checkpoint.STUDENT_WEIGHTS).write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match=r"student\.safetensors"):
        checkpoint.load(folder)


def test_a_teacher_that_goes_on_learning_loses_its_student(folder, monkeypatch):
    monkeypatch.setattr(apprenticeship, "judge", lambda *given: (JUDGED,))
    make_student(folder)
    source = CellSource(training(), np.arange(len(training())), VOCABULARY, torch.device("cpu"))
    train(Trainer(teacher(), source, None, replace(tiny.RECIPE.training, steps=1), seed=0), folder)
    assert not (folder / checkpoint.STUDENT_WEIGHTS).exists()
    assert checkpoint.read_manifest(folder).sampling == PLAN


def test_other_cells_than_those_of_the_training_are_refused(folder):
    described = checkpoint.read_manifest(folder)
    checkpoint.write_manifest(folder, replace(described, data_sha256="1" * 64))
    with pytest.raises(DataError, match="is not the file"):
        make_student(folder)
