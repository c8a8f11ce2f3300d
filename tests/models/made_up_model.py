"""A made-up model of one row, as a new file of models/baselines would hold it, and its row of the registry."""

from dataclasses import dataclass

import torch

from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.direct import DirectPredictor
from primeflow_core.models.kinds.kind import Family, ModelKind, ModelParts, RecipeRow
from primeflow_core.models.kinds.ranges import Real
from primeflow_core.models.kinds.search_space import SearchSpace, both


@dataclass(frozen=True)
class GuessConfig(Architecture):
    """``boldness``: the value of every gene before training."""

    boldness: float = 2.0

    def build(self, genes, vocabulary):
        return Guess(genes, vocabulary, self)


class Guess(DirectPredictor):
    """The same learnt profile for every condition."""

    def __init__(self, genes, vocabulary, config):
        super().__init__(genes, vocabulary)
        self.profile = torch.nn.Parameter(torch.full((len(self.genes),), config.boldness))

    def loss(self, batch, generator):
        return (self.profile - batch.x_1).square().mean(dim=1)

    def drawn(self, condition, cells, generator):
        return torch.zeros(cells, 0)

    def made(self, drawn, condition):
        return self.profile.expand(len(drawn), -1)


GUESS = ModelParts(
    GuessConfig,
    (
        RecipeRow("guess", "a learnt guess", {"guess": GuessConfig()}, {"steps": 12, "validate_every": 4}),
        RecipeRow("guess-big", "a guess for a GPU", {"guess": GuessConfig(9.0)}, {"steps": 99}, large=True),
    ),
    SearchSpace({"boldness": both(Real(0.0, 5.0))}),
)
KIND = ModelKind(
    "guess",
    Family.BASELINE,
    {"guess": "Learnt Guess"},
    "guesses one profile for all conditions",
    "tell conditions apart",
    lambda: GUESS,
)
