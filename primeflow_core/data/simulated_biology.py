"""The made-up biology behind the simulated screen: genes, pathways, perturbations, and which conditions are measured.

Genes stand in modules, neighbours in the gene order, which rise and fall together. Eight pathways each push four
modules. A perturbation belongs to one pathway and shares its push w_p (one weight a module), with a strength, a
deviation and a private module of its own; a switched gene also changes itself (s_p). In context c with module
gains a_c and module loadings M, the log fold of a responding cell is

    delta_p = (w_p * a_c) M + s_p                 a gene switched up or, with the sign turned, down
    delta_p(dose) = dose / (dose + EC50_p) delta_p            a drug

    additive       delta_p + delta_q              suppressive    0.6 (delta_p + delta_q)
    synergistic    1.3 (delta_p + delta_q)        epistatic      delta_p, the second part is masked

The class of a pair belongs to its two pathways, so it can be learnt from other pairs of the same pathways.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from primeflow_core.data.conditions import Perturbation, parse_perturbations
from primeflow_core.errors import SettingError

UP, DOWN, DRUG, CONTROL_KIND = "simulated switch up", "simulated switch down", "simulated drug", "simulated control"
ADDITIVE, SYNERGISTIC, SUPPRESSIVE, EPISTATIC = INTERACTIONS = ("additive", "synergistic", "suppressive", "epistatic")
SINGLE, NO_PERTURBATION = "single", "control"
DOSES = (0.1, 1.0, 10.0)
PATHWAYS, MODULES, PAIRS_OF_PATHWAYS = 8, 16, 8
FEWEST_GENES, FEWEST_CELLS_EACH = 64, 4


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
class Agent:
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
class World:
    """Values shared by all cells: base (contexts, G), gain (contexts, K), loadings (K, G), shape (G,)."""

    genes: tuple[str, ...]
    base: np.ndarray
    gain: np.ndarray
    loadings: np.ndarray
    shape: np.ndarray
    agents: Mapping[str, Agent]
    plan: tuple[Planned, ...]


def check(config: SimulationConfig) -> None:
    """Raises SettingError for sizes that do not fit together."""
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


def made_world(config: SimulationConfig, draw: np.random.Generator) -> World:
    """Draw genes, contexts, perturbations and the plan. Raises SettingError for more pairs than there are partners."""
    genes = tuple(f"SIMG{i + 1:03d}" for i in range(config.genes))
    loadings, base = _modules(config, draw)
    context_shift = draw.normal(0.0, 0.8, (config.contexts, MODULES)) @ (loadings > 0)
    own = draw.normal(0.0, 0.5, (config.contexts, config.genes))
    gain = draw.uniform(0.6, 1.4, (config.contexts, MODULES))
    agents = _agents(config, genes, draw)
    return World(
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


def _agents(config: SimulationConfig, genes: tuple[str, ...], draw: np.random.Generator) -> list[Agent]:
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
        agents.append(Agent(name, kind, i % PATHWAYS, push, gene, 3.0 * sign, half_dose, draw.uniform(0.7, 0.95)))
    return agents


def _plan(config: SimulationConfig, agents: list[Agent], draw: np.random.Generator) -> tuple[Planned, ...]:
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


def _labels(agent: Agent) -> list[str]:
    return [agent.name] if agent.gene is not None else [Perturbation(agent.name, dose).label for dose in DOSES]


def _pairs(config: SimulationConfig, agents: list[Agent], draw: np.random.Generator) -> list[Planned]:
    """Equal numbers of pairs of each interaction; of every two pathways one pair is a switched gene with a drug."""
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


def log_fold_of(world: World, planned: Planned) -> np.ndarray:
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


def _effect(world: World, part: Perturbation, context: int) -> np.ndarray:
    agent = world.agents[part.name]
    effect = (agent.push * world.gain[context]) @ world.loadings
    if agent.gene is not None:
        effect[agent.gene] += agent.shift
    return effect if part.dose is None else part.dose / (part.dose + agent.half_dose) * effect


def response_of(world: World, planned: Planned) -> float:
    """Share of the cells that respond; that of a pair is the mean of its parts."""
    return float(np.mean([world.agents[part.name].response for part in planned.parts])) if planned.parts else 0.0


def context_name(context: int) -> str:
    return f"sim-{chr(ord('A') + context)}"
