"""The simulated screen: cells of a made-up experiment whose truth is known; every name says that it is simulated.

Genes stand in modules, neighbours in the gene order, which rise and fall together. Eight pathways each push three
modules. A perturbation belongs to one pathway and shares its push w_p (one weight a module), with a strength, a
deviation and a private module of its own; a switched gene also changes itself (s_p). In context c with module
gains a_c and module loadings M, the log fold of a responding cell is

    delta_p = (w_p * a_c) M + s_p                 a gene switched up or, with the sign turned, down
    delta_p(dose) = dose / (dose + EC50_p) delta_p            a drug

    additive       delta_p + delta_q              suppressive    0.6 (delta_p + delta_q)
    synergistic    1.3 (delta_p + delta_q)        epistatic      delta_p, the second part is masked

The class of a pair belongs to its two pathways, so it can be learnt from other pairs of the same pathways. A cell
responds with a probability of its perturbation, and to a degree of its own (log-normal). Two modules follow a cycle
that every cell is somewhere in. Counts are negative binomial (gamma-Poisson) around

    library_i * exp(base_c + cycle_i + degree_i delta)

with a log-normal library that is measured on the whole cell, of which the genes here are a part; X is
log1p(counts / library). Everything is drawn from one PCG64 generator: the same seed gives the same cells.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.cells import Cells
from primeflow_core.conditions import Condition, Perturbation, parse_perturbations
from primeflow_core.errors import SettingError
from primeflow_core.splits import TEST, VAL, Split, held_out_split

VERSION = 1
"""Changes whenever the same configuration gives other cells; part of the cached file's name."""

UP, DOWN, DRUG, CONTROL_KIND = "simulated switch up", "simulated switch down", "simulated drug", "simulated control"
ADDITIVE, SYNERGISTIC, SUPPRESSIVE, EPISTATIC = INTERACTIONS = ("additive", "synergistic", "suppressive", "epistatic")
SINGLE, NO_PERTURBATION = "single", "control"
DOSES = (0.1, 1.0, 10.0)
PATHWAYS, MODULES, PAIRS_OF_PATHWAYS = 8, 16, 8
FEWEST_GENES, FEWEST_CELLS_EACH = 64, 4
_CONTROL_SHARE = 0.09
_OTHER_CONTEXT_WEIGHT = 0.7


@dataclass(frozen=True)
class SimulationConfig:
    """Size of the screen: ``genes`` are measured; ``up``, ``down`` and ``drugs`` are perturbations."""

    cells: int = 10_000
    genes: int = 500
    contexts: int = 3
    up: int = 24
    down: int = 8
    drugs: int = 8
    pairs: int = 32
    seed: int = 0


@dataclass(frozen=True)
class Planned:
    """One condition of the experiment; ``interaction`` is the class of a pair, else ``single`` or ``control``."""

    label: str
    context: int
    kind: str
    interaction: str

    @property
    def parts(self) -> tuple[Perturbation, ...]:
        return parse_perturbations(self.label)


@dataclass(frozen=True)
class _Agent:
    """A perturbation: its pathway, push on the modules (K,), own gene (None: a drug) and shift, half-effect dose."""

    name: str
    kind: str
    pathway: int
    push: np.ndarray
    gene: int | None
    shift: float
    half_dose: float
    response: float


@dataclass(frozen=True)
class _World:
    """What all cells share: base (contexts, G), gain (contexts, K), loadings (K, G), shape (G,)."""

    genes: tuple[str, ...]
    base: np.ndarray
    gain: np.ndarray
    loadings: np.ndarray
    shape: np.ndarray
    agents: Mapping[str, _Agent]
    plan: tuple[Planned, ...]


def simulate(config: SimulationConfig) -> anndata.AnnData:
    """An AnnData (N, G): X log-normalised, layers['counts'], obs and the truth in uns.

    obs: condition, cell_type, perturbation_type, interaction, responder, library. uns: simulated (True), config (JSON),
    truth = {conditions: table, log_fold: (conditions, G) of a responding cell}. Raises SettingError for sizes that
    do not fit together.
    """
    _check(config)
    draw = np.random.Generator(np.random.PCG64(config.seed))
    world = _world(config, draw)
    log_fold = np.stack([_log_fold(world, planned) for planned in world.plan])
    row = _rows(config, world, draw)
    rate = np.array([_response(world, planned) for planned in world.plan])
    responder = draw.random(config.cells) < rate[row]
    library = np.exp(draw.normal(0.0, 0.35, config.cells))
    counts = _counts(world, log_fold, row, responder, library, draw)
    return _annotated(config, world, log_fold, row, responder, library, counts)


def _check(config: SimulationConfig) -> None:
    switches = config.up + config.down
    if config.genes < max(FEWEST_GENES, 2 * switches):
        raise SettingError(f"{config.genes} genes are too few; ask for {max(FEWEST_GENES, 2 * switches)} or more.")
    if not 1 <= config.contexts <= 26:
        raise SettingError(f"{config.contexts} contexts cannot be simulated; ask for 1 to 26.")
    if min(config.up, config.down, config.drugs) < PATHWAYS or config.pairs % PAIRS_OF_PATHWAYS or config.pairs < 0:
        raise SettingError(
            f"Ask for at least {PATHWAYS} of up, down and drugs, and for pairs in multiples of {PAIRS_OF_PATHWAYS}."
        )
    fewest = FEWEST_CELLS_EACH * _most_conditions(config)
    if config.cells < fewest:
        raise SettingError(f"{config.cells:,} cells are too few for this screen; ask for {fewest:,} or more.")


def _most_conditions(config: SimulationConfig) -> int:
    """Number of conditions if every context had them all; a bound that needs no draw."""
    singles = config.up + config.down + len(DOSES) * config.drugs + 1
    return config.contexts * singles + config.pairs


def _world(config: SimulationConfig, draw: np.random.Generator) -> _World:
    genes = tuple(f"SIMG{i + 1:03d}" for i in range(config.genes))
    loadings, base = _modules(config, draw)
    context_shift = draw.normal(0.0, 0.8, (config.contexts, MODULES)) @ (loadings > 0)
    own = draw.normal(0.0, 0.5, (config.contexts, config.genes))
    gain = draw.uniform(0.6, 1.4, (config.contexts, MODULES))
    agents = _agents(config, genes, draw)
    return _World(
        genes, base + context_shift + own, gain, loadings, draw.uniform(2.0, 8.0, config.genes),
        {agent.name: agent for agent in agents}, _plan(config, agents, draw),
    )  # fmt: skip


def _modules(config: SimulationConfig, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Loadings (K, G) of neighbouring genes, and log mean counts (G,); the last fifth of the genes is in no module."""
    size = int(0.8 * config.genes) // MODULES
    loadings = np.zeros((MODULES, config.genes))
    for module in range(MODULES):
        loadings[module, module * size : (module + 1) * size] = draw.uniform(0.5, 1.5, size)
    return loadings, draw.normal(-3.3, 1.2, config.genes)


def _agents(config: SimulationConfig, genes: tuple[str, ...], draw: np.random.Generator) -> list[_Agent]:
    """Perturbations, dealt to the pathways in turn."""
    pushes = np.zeros((PATHWAYS, MODULES))
    for pathway in range(PATHWAYS):
        chosen = draw.choice(MODULES, 4, replace=False)
        pushes[pathway, chosen] = draw.uniform(0.7, 1.2, 4) * np.array([1.0, 1.0, -1.0, draw.choice((-1.0, 1.0))])
    kinds = [UP] * config.up + [DOWN] * config.down + [DRUG] * config.drugs
    targets = np.sort(draw.choice(config.genes, config.up + config.down, replace=False))
    targets = draw.permutation(targets)
    agents = []
    for i, kind in enumerate(kinds):
        sign = -1.0 if kind == DOWN else 1.0
        private = np.zeros(MODULES)
        private[draw.integers(MODULES)] = draw.normal(0.0, 0.5)
        push = sign * draw.uniform(0.8, 1.2) * pushes[i % PATHWAYS] * draw.normal(1.0, 0.15, MODULES) + private
        gene = None if kind == DRUG else int(targets[i])
        name = f"simdrug_{i - config.up - config.down + 1:02d}" if gene is None else genes[gene]
        half_dose = float(np.exp(draw.uniform(np.log(0.1), np.log(1.0))))
        agents.append(_Agent(name, kind, i % PATHWAYS, push, gene, 3.0 * sign, half_dose, draw.uniform(0.7, 0.95)))
    return agents


def _plan(config: SimulationConfig, agents: list[_Agent], draw: np.random.Generator) -> tuple[Planned, ...]:
    """Everything alone and in pairs in the first context, about half of it alone in the others, controls in all."""
    plan = []
    for context in range(config.contexts):
        plan.append(Planned(NO_PERTURBATION, context, CONTROL_KIND, NO_PERTURBATION))
        for agent in agents:
            if context and draw.random() < 0.5:
                continue
            plan += [Planned(label, context, agent.kind, SINGLE) for label in _labels(agent)]
        plan += _pairs(config, agents, draw) if context == 0 else []
    return tuple(plan)


def _labels(agent: _Agent) -> list[str]:
    return [agent.name] if agent.gene is not None else [Perturbation(agent.name, dose).label for dose in DOSES]


def _pairs(config: SimulationConfig, agents: list[_Agent], draw: np.random.Generator) -> list[Planned]:
    """As many pairs of each interaction; of every two pathways one pair is a switched gene with a drug."""
    crossings = list(combinations(range(PATHWAYS), 2))
    chosen = [crossings[i] for i in draw.choice(len(crossings), PAIRS_OF_PATHWAYS, replace=False)]
    members = [[a for a in agents if a.pathway == pathway and a.kind == UP] for pathway in range(PATHWAYS)]
    drugs = {agent.pathway: agent for agent in agents if agent.kind == DRUG}
    planned = []
    for i, (one, other) in enumerate(chosen):
        possible = [(a, b) for a in members[one] for b in members[other]]
        count = config.pairs // PAIRS_OF_PATHWAYS
        if count > len(possible) + 1:
            raise SettingError(f"{config.pairs} pairs are more than {config.up} switched genes allow; ask for fewer.")
        for n in draw.permutation(len(possible))[: max(count - 1, 0)]:
            a, b = possible[n]
            planned.append(_pair(a.name, b.name, UP, INTERACTIONS[i % len(INTERACTIONS)]))
        if count:
            switch = members[one][int(draw.integers(len(members[one])))]
            drug = Perturbation(drugs[other].name, DOSES[-1]).label
            planned.append(_pair(switch.name, drug, f"{UP} and drug", INTERACTIONS[i % len(INTERACTIONS)]))
    return planned


def _pair(first: str, second: str, kind: str, interaction: str) -> Planned:
    return Planned(f"{first}+{second}", 0, kind, interaction)


def _log_fold(world: _World, planned: Planned) -> np.ndarray:
    """Log fold (G,) of a cell that responds to the full degree."""
    if not planned.parts:
        return np.zeros(len(world.genes))
    # The label keeps the order of the parts, which says which one masks the other.
    parts = [parse_perturbations(text)[0] for text in planned.label.split("+")]
    effects = [_effect(world, part, planned.context) for part in parts]
    if planned.interaction == EPISTATIC:
        return effects[0]
    factor = {SYNERGISTIC: 1.3, SUPPRESSIVE: 0.6}.get(planned.interaction, 1.0)
    return factor * np.sum(effects, axis=0)


def _effect(world: _World, part: Perturbation, context: int) -> np.ndarray:
    agent = world.agents[part.name]
    effect = (agent.push * world.gain[context]) @ world.loadings
    if agent.gene is not None:
        effect[agent.gene] += agent.shift
    return effect if part.dose is None else part.dose / (part.dose + agent.half_dose) * effect


def _response(world: _World, planned: Planned) -> float:
    """Share of the cells that respond; that of a pair is the mean of its parts."""
    return float(np.mean([world.agents[part.name].response for part in planned.parts])) if planned.parts else 0.0


def _rows(config: SimulationConfig, world: _World, draw: np.random.Generator) -> np.ndarray:
    """(N,) condition of each cell, shuffled: controls get their share, the first context more cells than the others."""
    weight = np.array([1.0 if planned.context == 0 else _OTHER_CONTEXT_WEIGHT for planned in world.plan])
    control = np.array([planned.interaction == NO_PERTURBATION for planned in world.plan])
    share = np.where(control, _CONTROL_SHARE / control.sum(), (1 - _CONTROL_SHARE) * weight / weight[~control].sum())
    ends = np.rint(np.cumsum(share) * config.cells).astype(int)
    return draw.permutation(np.repeat(np.arange(len(share)), np.diff(ends, prepend=0)))


def _counts(
    world: _World,
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
    world: _World,
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


def _plan_table(world: _World, log_fold: np.ndarray) -> pd.DataFrame:
    """One row a condition: labels, class, share of responding cells, root mean square log fold."""
    rows: list[dict[str, Any]] = [
        {
            "condition": planned.label,
            "cell_type": context_name(planned.context),
            "perturbation_type": planned.kind,
            "interaction": planned.interaction,
            "response": _response(world, planned),
            "strength": float(np.sqrt(np.mean(effect**2))),
        }
        for planned, effect in zip(world.plan, log_fold, strict=True)
    ]
    return pd.DataFrame(rows)


def context_name(context: int) -> str:
    return f"sim-{chr(ord('A') + context)}"


def default_split(cells: Cells, config: SimulationConfig | None = None) -> Split:
    """The split the shipped model is trained with: of every two pathways one pair to test, of every other one to
    validation, so all classes are in both; in the other contexts two single perturbations each.

    ``cells`` are those of ``simulate(config)``. Controls are halved, the second half between validation and test.
    """
    config = config or SimulationConfig()
    plan = _world(config, np.random.Generator(np.random.PCG64(config.seed))).plan
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
