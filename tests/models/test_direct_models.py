"""What all models stand on: rows by name, pairs with controls, kept control cells, cells in one pass."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation, Vocabulary
from primeflow_core.data.splits import Split, read_split
from primeflow_core.errors import CheckpointError, ConditionError, DataError, SettingError
from primeflow_core.models import checkpoint, control_pool
from primeflow_core.models.architectures import built, rows_of
from primeflow_core.models.baselines.direct import DirectPredictor
from primeflow_core.models.baselines.linear import LinearConfig
from primeflow_core.models.control_pool import ControlPool
from primeflow_core.models.kept_rows import KeptRows
from primeflow_core.models.predictor import Batch
from primeflow_core.models.sampling_plan import DIRECT, SamplingPlan
from primeflow_core.training.batches import CellSource, Partners
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.recipes.registry import recipe_named
from primeflow_core.training.run import Source, prepare
from tests import tiny

CPU = torch.device("cpu")
PLAN = SamplingPlan(DIRECT, 1, precision="float32")
GENES = tuple(f"G{i}" for i in range(4))


def asked(names, *values):
    """A condition with the covariates ``cell_type`` and ``donor``, as many as there are values."""
    columns = ("cell_type", "donor")
    return Condition(tuple(Perturbation(name) for name in names), tuple(zip(columns, values, strict=False)))


def numbered(conditions, per_condition):
    """Cells whose first gene is the number of the cell."""
    of = np.repeat(np.arange(len(conditions)), per_condition)
    values = np.zeros((len(of), len(GENES)), dtype=np.float32)
    values[:, 0] = np.arange(len(of)) + 1
    return Cells(values, GENES, np.array([f"cell{i}" for i in range(len(of))]), tuple(conditions), of)


SCREEN = numbered([asked(names, c) for c in ("hap1", "k562") for names in ("", "A", "B")] + [asked("A", "rpe1")], 6)


def source(cells, index=None, partners=None):
    vocabulary = Vocabulary.from_conditions(cells.conditions)
    return CellSource(cells, np.arange(len(cells)) if index is None else index, vocabulary, CPU, partners)


class TestRows:
    def test_rows_survive_their_plain_numbers(self):
        settings = {**tiny.RECIPE.settings(), "linear": {"use_covariates": False}}
        assert rows_of(settings) == {**tiny.RECIPE.rows, "linear": LinearConfig(use_covariates=False)}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"sandwich": {}}, r"the row 'sandwich', and this version knows flow, field"),
            ({"linear": {"butter": 1}}, r"row linear .* has the key linear.butter"),
        ],
    )
    def test_what_no_row_has_is_named(self, settings, message):
        with pytest.raises(CheckpointError, match=message):
            rows_of(settings)

    @pytest.mark.parametrize("names", [(), ("flow",), ("field",), ("flow", "linear"), ("linear", "field")])
    def test_rows_that_make_no_model_are_refused(self, names):
        rows = {name: {**tiny.RECIPE.rows, "linear": LinearConfig()}[name] for name in names}
        with pytest.raises(CheckpointError, match="do not describe a model"):
            built(GENES, tiny.VOCABULARY, rows)


class TestPartners:
    def test_they_are_controls_of_the_same_context_and_drawn_by_the_generator(self):
        partners = Partners(SCREEN, np.arange(len(SCREEN)))
        paired = partners.among(np.arange(len(SCREEN)))
        pairs = source(SCREEN, paired, partners)
        rows = np.arange(len(pairs))
        batch, again, other = (pairs.batch(rows, np.random.default_rng(seed)) for seed in (0, 0, 1))
        assert torch.equal(batch.control, again.control)
        assert not torch.equal(batch.control, other.control)
        for cell, control in zip(batch.x_1[:, 0].int() - 1, batch.control[:, 0].int() - 1, strict=True):
            condition, beside = (SCREEN.conditions[SCREEN.condition_of[int(i)]] for i in (cell, control))
            assert beside == condition.control()

    def test_only_perturbed_cells_with_partners_are_learnt(self):
        partners = Partners(SCREEN, np.arange(len(SCREEN)))
        chosen = {SCREEN.conditions[SCREEN.condition_of[i]] for i in partners.among(np.arange(len(SCREEN)))}
        assert chosen == {asked(name, context) for name in "AB" for context in ("hap1", "k562")}

    def test_a_validation_cell_is_paired_with_a_training_cell(self):
        training = np.flatnonzero(np.arange(len(SCREEN)) % 2 == 0)
        partners = Partners(SCREEN, training)
        held = partners.among(np.setdiff1d(np.arange(len(SCREEN)), training))
        batch = source(SCREEN, held, partners).batch(np.arange(len(held)), np.random.default_rng(0))
        assert set((batch.control[:, 0] - 1).tolist()) <= set(training.tolist())

    def test_without_a_draw_cells_stand_alone_and_chunks_hold_the_partners_once(self):
        partners = Partners(SCREEN, np.arange(len(SCREEN)))
        paired = partners.among(np.arange(len(SCREEN)))
        pairs = source(SCREEN, paired, partners)
        assert pairs.batch(np.arange(3)).control is None
        seen = torch.cat([chunk.x_1[:, 0] for chunk in pairs.chunks(5)]).int() - 1
        assert sorted(seen.tolist()) == sorted([*paired.tolist(), *partners.index.tolist()])

    def test_a_screen_without_pairs_names_the_recipe(self, tmp_path):
        alone = numbered([asked("A", "hap1"), asked("", "k562")], 4)
        recipe = Recipe("straight", "", {"linear": LinearConfig()}, TrainingConfig(steps=1))
        given = Source(alone, Split(alone.names, np.full(len(alone), "train")), "made-up", True)
        with pytest.raises(DataError, match="straight learns from perturbed cells beside control cells"):
            prepare(given, recipe, tmp_path / "model", seed=0, device="cpu", resume=False, command=[])
        assert not (tmp_path / "model").exists()

    def test_what_has_no_control_cells_is_left_out_and_not_answered_for(self, tmp_path, caplog):
        """B was measured in k562 alone, which has no control cells: nothing could be learnt of it."""
        made = numbered([asked("A", "hap1"), asked("", "hap1"), asked("B", "k562"), asked("A", "k562")], 4)
        recipe = Recipe("straight", "", {"linear": LinearConfig()}, TrainingConfig(steps=1))
        given = Source(made, Split(made.names, np.full(len(made), "train")), "made-up", True)
        trainer = prepare(given, recipe, tmp_path / "model", seed=0, device="cpu", resume=False, command=[])
        manifest = checkpoint.read_manifest(tmp_path / "model")
        assert [c.label for c in manifest.trained_on] == ["A", "control"]
        assert manifest.provenance["left_out"] == ["B", "A"]
        assert "training has none of k562: 2 conditions left out" in caplog.text
        assert set(read_split(tmp_path / "model" / "split.csv.gz", made).parts) == {"train", "left-out"}
        with pytest.raises(ConditionError, match="B is not a perturbation"):
            trainer.predictor.predict(asked("B", "hap1"), 3, SamplingPlan())
        again = prepare(given, recipe, tmp_path / "model", seed=0, device="cpu", resume=True, command=[])
        assert len(again.train_cells) == len(trainer.train_cells) == 4


def test_a_split_that_trains_on_control_cells_alone_is_refused(tmp_path):
    made = numbered([asked("A", "hap1"), asked("", "hap1")], 4)
    parts = np.where([c.is_control for c in made.condition_list(range(len(made)))], "train", "test")
    with pytest.raises(DataError, match="leaves no perturbed training cell"):
        prepare(
            Source(made, Split(made.names, parts), "made-up", True), recipe_named("decoder-only"), tmp_path / "model",
            seed=0, device="cpu", resume=False, command=[],
        )  # fmt: skip
    assert not (tmp_path / "model").exists()


class TestControlPool:
    TWO = tuple(asked(names, c, d) for c in ("hap1", "k562") for d in ("1", "2", "3") for names in ("", "A"))

    def pool(self, cells, size=10**6):
        made = ControlPool(len(GENES), Vocabulary.from_conditions(cells.conditions))
        made.fit(lambda: source(cells).chunks(size))
        return made

    def numbers(self, pool, cells, condition, count, seed=0):
        encoded = torch.from_numpy(Vocabulary.from_conditions(cells.conditions).encode([condition]))
        drawn = pool.drawn(encoded, count, torch.Generator().manual_seed(seed))
        assert drawn.shape == (count, len(GENES))
        return (drawn[:, 0].int() - 1).tolist()

    def test_contexts_of_two_covariates_have_numbers_of_their_own(self):
        cells = numbered(self.TWO, 2)
        vocabulary = Vocabulary.from_conditions(cells.conditions)
        encoded = torch.from_numpy(vocabulary.encode(self.TWO))
        assert self.pool(cells).context(encoded).tolist() == [i for i in range(6) for _ in range(2)]
        no_covariates = Vocabulary.from_conditions([asked("A")])
        assert ControlPool(4, no_covariates).context(torch.ones(3, 1)).tolist() == [0, 0, 0]

    @pytest.mark.parametrize("size", [1, 5, 10**6])
    def test_controls_of_the_context_are_all_drawn_once_before_any_twice(self, size):
        cells = numbered(self.TWO, 5)
        pool = self.pool(cells, size)
        for condition in self.TWO:
            there = cells.where(condition.control()).tolist()
            drawn = self.numbers(pool, cells, condition, 13)
            assert sorted(drawn[:5]) == sorted(drawn[5:10]) == there
            assert len(set(drawn[10:])) == 3
            assert drawn == self.numbers(pool, cells, condition, 13)
            assert drawn != self.numbers(pool, cells, condition, 13, seed=1)

    def test_no_more_than_so_many_are_kept_and_any_may_be(self, monkeypatch):
        monkeypatch.setattr(control_pool, "MOST", 8)
        cells = numbered([asked("", "k562"), asked("A", "k562")], 40)
        kept = self.numbers(self.pool(cells, 7), cells, asked("", "k562"), 8)
        assert len(set(kept)) == 8
        assert max(kept) < 40
        assert max(kept) - min(kept) > 12
        assert sorted(kept) == sorted(self.numbers(self.pool(cells, 7), cells, asked("", "k562"), 8))

    def test_a_thousand_of_a_context_are_drawn_before_one_repeats(self):
        cells = numbered([asked("", "k562"), asked("A", "k562")], 1200)
        assert len(set(self.numbers(self.pool(cells, 512), cells, asked("A", "k562"), 1000))) == 1000

    @pytest.mark.parametrize("size", [7, 10**6])
    @pytest.mark.parametrize(("values", "each"), [(6 * 6 * 4, 6), (6 * 9 * 4, 9), (1, 4), (10**6, 20)])
    def test_many_contexts_share_the_memory(self, monkeypatch, size, values, each):
        for name, number in (("MOST", 20), ("LEAST", 4), ("VALUES", values)):
            monkeypatch.setattr(control_pool, name, number)
        cells = numbered(self.TWO, 30)
        assert self.pool(cells, size).contexts.bincount().tolist() == [each] * 6

    def test_a_context_without_controls_says_what_to_do(self):
        pool = self.pool(SCREEN)
        with pytest.raises(ConditionError, match=r"none of this context.* put control cells"):
            self.numbers(pool, SCREEN, asked("A", "rpe1"), 3)
        none = numbered([asked("A", "k562")], 3)
        with pytest.raises(ConditionError, match="none of this context"):
            self.numbers(self.pool(none), none, asked("A", "k562"), 3)

    def test_a_saved_pool_is_the_pool(self, tmp_path):
        pool = self.pool(SCREEN)
        checkpoint.write_weights(tmp_path, pool.state_dict(), {})
        again = ControlPool(len(GENES), Vocabulary.from_conditions(SCREEN.conditions))
        checkpoint._fill(again, tmp_path / checkpoint.WEIGHTS)
        assert (again.cells.dtype, again.contexts.dtype) == (torch.float32, torch.int64)
        both = [self.numbers(each, SCREEN, asked("B", "hap1"), 9) for each in (pool, again)]
        assert both[0] == both[1]

    def test_a_pool_of_other_genes_does_not_fit(self):
        other = ControlPool(len(GENES) + 1, Vocabulary.from_conditions(SCREEN.conditions))
        with pytest.raises(RuntimeError, match="size mismatch"):
            other.load_state_dict(self.pool(SCREEN).state_dict())


def test_kept_rows_bring_their_number_and_keep_their_type():
    first, second = (KeptRows({"keys": torch.zeros(0, 2, dtype=torch.int32), "sizes": torch.zeros(0)}) for _ in "ab")
    first.keep({"keys": torch.tensor([[1, 2], [3, 4], [5, 6]]), "sizes": torch.tensor([1, 2, 3])})
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.keys, torch.tensor([[1, 2], [3, 4], [5, 6]], dtype=torch.int32))
    assert second.sizes.dtype == torch.float32


class Noisy(DirectPredictor):
    """Normal noise about the number of perturbations, and what was asked of it."""

    def __init__(self):
        super().__init__(GENES, Vocabulary.from_conditions(SCREEN.conditions))
        self.weight = torch.nn.Parameter(torch.ones(()))

    def loss(self, batch, generator):
        return self.weight * batch.x_1.mean(dim=1)

    def drawn(self, condition, cells, generator):
        return torch.randn(cells, len(self.genes), generator=generator)

    def made(self, drawn, condition):
        return drawn + condition[:, :2].sum(dim=1, keepdim=True)


class TestDirectPredictor:
    def test_neither_batches_nor_anything_but_the_seed_changes_cells(self):
        model = Noisy()
        whole, parts, other = (
            model.predict(asked("A", "k562"), 50, replace(PLAN, **changed))
            for changed in ({}, {"batch_size": 7}, {"seed": 1})
        )
        assert np.array_equal(whole, parts)
        assert not np.array_equal(whole, other)

    def test_progress_tells_of_every_batch(self):
        told = []
        made = Noisy().predict(asked("A", "k562"), 10, replace(PLAN, batch_size=4), told.append)
        assert [(p.first, p.cells, p.step, p.steps) for p in told] == [(0, 10, 1, 1), (4, 10, 1, 1), (8, 10, 1, 1)]
        assert np.array_equal(np.concatenate([p.state for p in told]), made)

    def test_guidance_is_refused(self):
        with pytest.raises(SettingError, match="guidance weight is 3, and this model has no guidance"):
            Noisy().predict(asked("A", "k562"), 2, replace(PLAN, guidance=3.0))

    @pytest.mark.parametrize("cells", [0, 10**6])
    def test_impossible_numbers_of_cells_are_refused(self, cells):
        with pytest.raises(SettingError, match="ask for 1 to"):
            Noisy().predict(asked("A", "k562"), cells, PLAN)

    def test_any_sampler_asked_for_is_settled_as_direct(self):
        settled = Noisy().settled(SamplingPlan("euler", 100, zeros="smallest"))
        assert (settled.sampler, settled.steps, settled.zeros) == (DIRECT, 1, "smallest")

    def test_small_values_become_zeros_where_asked(self):
        model = Noisy()
        cells = torch.tensor([[0.0, 3.0, 1.0, 0.0], [2.0, 0.0, 0.5, 0.0]])
        model.fit_statistics(lambda: [Batch(cells[:1], torch.zeros(1, 5)), Batch(cells[1:], torch.zeros(1, 5))])
        assert model.smallest.tolist() == [2.0, 3.0, 0.5, float("inf")]
        clipped, half, smallest = (
            model.predict(asked("AB", "k562"), 200, replace(PLAN, zeros=zeros))
            for zeros in ("clip", "half-smallest", "smallest")
        )
        assert (clipped >= 0).all()
        assert (clipped == 0).any()
        np.testing.assert_array_equal(half, np.where(clipped < np.array([1.0, 1.5, 0.25, np.inf]), 0, clipped))
        np.testing.assert_array_equal(smallest, np.where(clipped < np.array([2.0, 3.0, 0.5, np.inf]), 0, clipped))
