"""The simulated screen: cells of a made-up experiment whose truth is known; every name says that it is simulated.

The biology (pathways, effects, interactions) stands in simulated_world.py. A cell responds with a probability of its
perturbation, and to a degree of its own (log-normal). Two modules follow a cycle that every cell is somewhere in.
Counts are negative binomial (gamma-Poisson) around

    library_i * exp(base_c + cycle_i + degree_i delta)

with a log-normal library that is measured on the whole cell, of which the genes here are a part; X is
log1p(counts / library). Everything is drawn from one PCG64 generator: the same seed gives the same cells.
"""

import json
from dataclasses import asdict
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.h5ad.writing import packed
from primeflow_core.data.simulated_biology import (
    INTERACTIONS,
    NO_PERTURBATION,
    PAIRS_OF_PATHWAYS,
    UP,
    Planned,
    SimulationConfig,
    World,
    check,
    context_name,
    log_fold_of,
    made_world,
    response_of,
)
from primeflow_core.data.split_file import TEST, VAL
from primeflow_core.data.splits import Split, held_out_split

VERSION = 1
"""Changes whenever the same configuration gives other cells; part of the cached file's name."""

EXAMPLE_FILE = "simulated-example.h5ad"
_EXAMPLE_CELLS = 1_500
_CONTROL_SHARE = 0.09
_BLOCK = 20_000
_OTHER_CONTEXT_WEIGHT = 0.7


def simulate(config: SimulationConfig) -> anndata.AnnData:
    """An AnnData (N, G): X log-normalised, layers['counts'], obs and the truth in uns.

    obs: condition, cell_type, perturbation_type, interaction, responder, library. uns: simulated (True), config (JSON),
    truth = {conditions: table, log_fold: (conditions, G) of a responding cell}. Raises SettingError for sizes that
    do not fit together.
    """
    check(config)
    draw = np.random.Generator(np.random.PCG64(config.seed))
    world = made_world(config, draw)
    log_fold = np.stack([log_fold_of(world, planned) for planned in world.plan])
    row = _rows(config, world, draw)
    rate = np.array([response_of(world, planned) for planned in world.plan])
    responder = draw.random(config.cells) < rate[row]
    library = np.exp(draw.normal(0.0, 0.35, config.cells))
    blocks = [slice(start, start + _BLOCK) for start in range(0, config.cells, _BLOCK)]
    counts = sp.vstack([_counts(world, log_fold, row[b], responder[b], library[b], draw) for b in blocks], "csr")
    return _annotated(config, world, log_fold, row, responder, library, counts)


def _rows(config: SimulationConfig, world: World, draw: np.random.Generator) -> np.ndarray:
    """(N,) condition of each cell, shuffled: controls get their share, the first context more cells than the others."""
    weight = np.array([1.0 if planned.context == 0 else _OTHER_CONTEXT_WEIGHT for planned in world.plan])
    control = np.array([planned.interaction == NO_PERTURBATION for planned in world.plan])
    share = np.where(control, _CONTROL_SHARE / control.sum(), (1 - _CONTROL_SHARE) * weight / weight[~control].sum())
    ends = np.rint(np.cumsum(share) * config.cells).astype(int)
    return draw.permutation(np.repeat(np.arange(len(share)), np.diff(ends, prepend=0)))


def _counts(
    world: World,
    log_fold: np.ndarray,
    row: np.ndarray,
    responder: np.ndarray,
    library: np.ndarray,
    draw: np.random.Generator,
) -> sp.csr_matrix:
    """Negative binomial counts (N, G)."""
    cells = len(row)
    context = np.array([planned.context for planned in world.plan])[row]
    degree = responder * np.exp(draw.normal(0.0, 0.15, cells))
    phase = draw.uniform(0.0, 2.0 * np.pi, cells)
    cycle = 0.6 * np.column_stack([np.cos(phase), np.sin(phase)])
    log_mean = world.base[context] + cycle @ world.loadings[:2] + degree[:, None] * log_fold[row]
    # A gene cannot take up the whole cell: rates saturate softly at exp(4) counts.
    mean = library[:, None] * np.exp(4.0 - np.logaddexp(0.0, 4.0 - log_mean))
    gamma = draw.gamma(world.shape, 1.0 / world.shape, mean.shape)
    return sp.csr_matrix(draw.poisson(gamma * mean).astype(np.float32))


def _annotated(
    config: SimulationConfig,
    world: World,
    log_fold: np.ndarray,
    row: np.ndarray,
    responder: np.ndarray,
    library: np.ndarray,
    counts: sp.csr_matrix,
) -> anndata.AnnData:
    plan = _plan_table(world, log_fold)
    obs = plan.loc[row, ["condition", "cell_type", "perturbation_type", "interaction"]].astype("category")
    obs.index = pd.Index([f"simcell_{i:05d}" for i in range(len(row))])
    obs["responder"] = responder
    obs["library"] = library.astype(np.float32)
    values = counts.copy()
    values.data = np.log1p(counts.data / np.repeat(library, np.diff(counts.indptr))).astype(np.float32)
    module = np.where(world.loadings.any(axis=0), world.loadings.argmax(axis=0), -1)
    adata = anndata.AnnData(values, obs=obs, var=pd.DataFrame({"module": module}, index=pd.Index(world.genes)))
    adata.layers["counts"] = counts
    adata.uns["simulated"] = True
    adata.uns["config"] = json.dumps({"version": VERSION, **asdict(config)}, sort_keys=True)
    adata.uns["truth"] = {"conditions": plan, "log_fold": log_fold.astype(np.float32)}
    return adata


def _plan_table(world: World, log_fold: np.ndarray) -> pd.DataFrame:
    """One row a condition: labels, class, share of responding cells, root mean square log fold."""
    rows: list[dict[str, Any]] = [
        {
            "condition": planned.label,
            "cell_type": context_name(planned.context),
            "perturbation_type": planned.kind,
            "interaction": planned.interaction,
            "response": response_of(world, planned),
            "strength": float(np.sqrt(np.mean(effect**2))),
        }
        for planned, effect in zip(world.plan, log_fold, strict=True)
    ]
    return pd.DataFrame(rows)


def default_split(cells: Cells, config: SimulationConfig | None = None) -> Split:
    """The split the shipped model is trained with: of every two pathways one pair to test, of every other one to
    validation, so all classes are in both; in the other contexts two single perturbations each.

    ``cells`` are those of ``simulate(config)``. Controls are halved, the second half between validation and test.
    """
    config = config or SimulationConfig()
    plan = made_world(config, np.random.Generator(np.random.PCG64(config.seed))).plan
    part_of: dict[Condition, str] = {}
    per = config.pairs // PAIRS_OF_PATHWAYS
    pairs = [planned for planned in plan if planned.interaction in INTERACTIONS]
    for i in range(PAIRS_OF_PATHWAYS if per > 2 else 0):
        part_of[_condition(pairs[i * per])] = TEST
        if i < PAIRS_OF_PATHWAYS // 2:
            part_of[_condition(pairs[i * per + 1])] = VAL
    for context in range(1, config.contexts):
        switches = [p for p in plan if p.context == context and p.kind == UP]
        part_of |= {_condition(p): part for p, part in zip(switches, (TEST, VAL, TEST, VAL), strict=False)}
    return held_out_split(cells, part_of, seed=config.seed)


def _condition(planned: Planned) -> Condition:
    return Condition(planned.parts, (("cell_type", context_name(planned.context)),))


def example_h5ad() -> bytes:
    """A small .h5ad to try the app with: fewer cells than the shipped model was trained on, and other ones."""
    adata = simulate(SimulationConfig(cells=_EXAMPLE_CELLS))
    del adata.layers["counts"]
    return packed(adata)
