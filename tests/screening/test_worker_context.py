"""The bench of a worker: what a row says, and that it says the same wherever it is made."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from primeflow_core.data.conditions import Condition
from primeflow_core.data.splits import Split
from primeflow_core.errors import CheckpointError, DataError
from primeflow_core.evaluation.profiles import log_fold_change
from primeflow_core.evaluation.response import ComparedCells, response
from primeflow_core.models import checkpoint
from primeflow_core.models.flow.primeflow import PRiMeFlow
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.screening.engine import one_thread
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.reference_cells import Reference, measured_reference
from primeflow_core.screening.screen_spec import ScreenOrder, weights_of
from primeflow_core.screening.shard_schema import schema
from primeflow_core.screening.shards import ORDER, REFERENCE
from primeflow_core.screening.worker_context import WorkerContext
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from tests import tiny
from tests.tiny import condition

CELLS, SEEDS, PLAN = 12, (3, 4), SamplingPlan("euler", 2, precision="float32")
PAIR = condition("A", "B")
SINGLES = (condition("A"), condition("B"))


@pytest.fixture(scope="module", autouse=True)
def as_in_a_worker() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def model() -> PRiMeFlow:
    made = tiny.model().eval()
    made.smallest.fill_(0.01)
    return made


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    cells = tiny.cells(60)
    return measured_reference(cells, tmp_path_factory.mktemp("no split"), cells.genes, [PAIR], PAIR)


def order(goal: Goal, reference: Reference, *candidates: Condition, weights: str = "") -> ScreenOrder:
    return ScreenOrder("tiny", weights, reference.sha256, goal, candidates, (), CELLS, SEEDS, PLAN, resamples=20)


def row(model: PRiMeFlow, reference: Reference, goal: Goal, asked: Condition) -> dict[str, object]:
    return WorkerContext(order(goal, reference, asked), model, reference).screened([0]).to_pylist()[0]


GOALS = [
    Goal("effect"),
    Goal("target", target=PAIR),
    Goal("direction", target=PAIR),
    Goal("genes", raised=("G1",), lowered=("G2",)),
    Goal("moves", raised=("G3",)),
]


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: str(goal.kind))
def test_a_row_is_whole(model, reference, goal):
    table = WorkerContext(order(goal, reference, PAIR, *SINGLES), model, reference).screened([0, 2])
    assert table.schema == schema(["cell_type"])
    pair, single = table.to_pylist()
    assert (pair["position"], pair["perturbation"], pair["cell_type"]) == (0, "A+B", "k562")
    assert single["interaction"] == single["dominant"] == ""
    assert np.isnan([single["magnitude"], single["predicted_magnitude"], single["share"]]).all()
    assert np.isfinite([pair["score"], pair["sum_score"], *pair["replicates"], *pair["by_seed"]]).all()
    assert [len(pair[name]) for name in ("replicates", "by_seed", "change", "change_error")] == [20, 2, 11, 11]
    assert pair["size_low"] <= pair["size"] <= pair["size_high"]


def test_genes_and_changes_are_those_of_explore(model, reference):
    found = row(model, reference, GOALS[0], PAIR)
    cells = np.concatenate([model.predict(PAIR, CELLS, replace(PLAN, seed=seed)) for seed in SEEDS])
    controls = reference.controls(PAIR.covariates)
    expected = response(model.genes, ComparedCells(cells, controls), None)
    assert (found["genes_up"], found["genes_down"]) == (expected.up, expected.down)
    changes = log_fold_change(cells.mean(axis=0, dtype=np.float64), controls.mean(axis=0, dtype=np.float64))
    assert found["change"] == pytest.approx(changes.tolist(), abs=1e-5)


def test_the_error_of_a_change_is_that_of_other_cells(model, reference):
    asked = replace(order(GOALS[0], reference, PAIR), cells=30)
    others = [replace(asked, seeds=(10 * i, 10 * i + 1)) for i in range(1, 9)]
    found = [WorkerContext(one, model, reference).screened([0]).to_pylist()[0] for one in others]
    spread = np.std([one["change"] for one in found], axis=0)
    told = np.median([one["change_error"] for one in found], axis=0)
    # The controls, which stay the same here, are in the error too.
    assert (spread < 1.8 * told).all()


@pytest.mark.parametrize("kind", ["synergy", "suppression"])
def test_a_sum_is_its_own_measure(model, reference, kind):
    found = row(model, reference, Goal(kind), PAIR)
    if np.isfinite(found["score"]):
        assert found["sum_score"] == 1.0
    else:
        assert np.isnan(found["sum_score"])
    assert found["score"] == pytest.approx(found["magnitude"], nan_ok=True)
    assert found["interaction"]


def test_a_row_does_not_depend_on_its_shard(model, reference):
    asked = order(Goal("target", target=PAIR), reference, condition("A"), PAIR, condition("B"))
    together = WorkerContext(asked, model, reference).screened(range(3))
    turned = WorkerContext(asked, model, reference).screened([2, 1, 0])
    alone = pa.concat_tables([WorkerContext(asked, model, reference).screened([position]) for position in range(3)])
    assert same(alone, together)
    assert same(turned.take([2, 1, 0]), together)


def same(one: pa.Table, other: pa.Table) -> bool:
    """Bit by bit; NaN equals NaN."""
    return repr(one.to_pydict()) == repr(other.to_pydict())


def test_candidates_share_their_noise_and_parts_have_their_own(model, reference, monkeypatch):
    asked: list[tuple[str, int]] = []
    predict = PRiMeFlow.predict

    def listed(self, condition, cells, plan, on_progress=None):
        asked.append((condition.label, plan.seed))
        return predict(self, condition, cells, plan, on_progress)

    monkeypatch.setattr(PRiMeFlow, "predict", listed)
    bench = WorkerContext(order(GOALS[0], reference, condition("A"), PAIR), model, reference)
    bench.screened([0, 1])
    bench.screened([1])
    seeds = {label: [seed for name, seed in asked if name == label] for label in ("A", "A+B", "B", "control")}
    assert seeds["A+B"] == [*SEEDS, *SEEDS]
    assert seeds["A"][:2] == list(SEEDS)
    assert [len(seeds[label]) for label in ("A", "B", "control")] == [4, 2, 2]
    own = [*SEEDS, *seeds["A"][2:], *seeds["B"], *seeds["control"]]
    assert len(set(own)) == len(own)


def test_it_stops_before_a_condition_when_asked(model, reference):
    bench = WorkerContext(order(GOALS[0], reference, *SINGLES), model, reference)
    calls = []

    def checkpoint() -> None:
        calls.append(None)
        if len(calls) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        bench.screened([0, 1], checkpoint)
    assert len(calls) == 2


def test_without_measured_singles_there_is_only_what_is_predicted(model, reference):
    alone = replace(
        reference, controls_predicted=True, cells=reference.cells.subset(reference.cells.where(condition()))
    )
    found = row(model, alone, GOALS[0], PAIR)
    assert np.isnan([found["sum_score"], found["magnitude"]]).all()
    assert found["interaction"] == ""


def test_cells_of_other_genes_are_refused(reference):
    with pytest.raises(DataError, match="other genes than the model"):
        WorkerContext(order(GOALS[0], reference, PAIR), tiny.model(7), reference)


# A folder


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cells, folder = tiny.cells(), tmp_path_factory.mktemp("models") / "tiny"
    parts = np.where(cells.condition_of == 3, "test", np.where(np.arange(len(cells)) % 4 == 1, "val", "train"))
    recipe = replace(tiny.RECIPE, training=replace(tiny.RECIPE.training, steps=2, validate_every=2))
    source = Source(cells, Split(cells.names, parts), "tiny", True)
    train(prepare(source, recipe, folder, seed=0, device="cpu", resume=False, command=[]), folder)
    return folder


def screen(folder: Path, model: Path, reference: Reference, weights: str | None = None) -> Path:
    asked = order(GOALS[0], reference, PAIR, weights=weights or weights_of(model))
    folder.mkdir()
    (folder / ORDER).write_text(json.dumps(asked.to_json()))
    reference.write(folder / REFERENCE)
    return folder


def test_a_bench_opened_from_its_folder_makes_the_same_rows(tmp_path, model_folder, reference):
    opened = WorkerContext.opened(screen(tmp_path / "parts", model_folder, reference), model_folder)
    loaded = checkpoint.load(model_folder)
    assert isinstance(loaded, PRiMeFlow)
    made = WorkerContext(order(GOALS[0], reference, PAIR, weights=weights_of(model_folder)), loaded, reference)
    assert same(opened.screened([0]), made.screened([0]))


def test_other_weights_and_another_reference_are_refused(tmp_path, model_folder, reference):
    folder = screen(tmp_path / "parts", model_folder, reference, weights="0" * 64)
    with pytest.raises(CheckpointError, match="does not hold the weights that this screen began with"):
        WorkerContext.opened(folder, model_folder)
    replace(reference, controls_predicted=True).write(folder / REFERENCE)
    with pytest.raises(DataError, match="is not what this screen began with"):
        WorkerContext.opened(folder, model_folder)
    with pytest.raises(CheckpointError):
        WorkerContext.opened(screen(tmp_path / "again", model_folder, reference), tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"goal": 3}'])
def test_a_damaged_order_is_named(tmp_path, model_folder, reference, content):
    folder = screen(tmp_path / "parts", model_folder, reference)
    (folder / ORDER).write_text(content)
    with pytest.raises(DataError, match="cannot be read as a screen"):
        WorkerContext.opened(folder, model_folder)
    (folder / ORDER).unlink()
    with pytest.raises(DataError, match="cannot be read as a screen"):
        WorkerContext.opened(folder, model_folder)
