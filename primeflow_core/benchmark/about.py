"""The description of a benchmark, and the names of its output files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ABOUT, LEADERBOARD, CONDITIONS, CELLS = "about.json", "benchmark.csv", "conditions.parquet", "cells.parquet"


PICTURE = b"primeflow_picture"
"""Key in the parquet's metadata: a JSON object with the titles of both axes, by context."""


@dataclass(frozen=True)
class About:
    """What a benchmark compared. ``split``: in words, what was held out. ``recipes``: the title of each recipe.
    ``command``: makes the benchmark again. ``refused``: by recipe, the conditions that it cannot predict, and why.
    ``failed``: the trainings that failed, and why."""

    title: str
    data: str
    simulated: bool
    split: str
    command: str
    cells: int
    seeds: tuple[int, ...]
    part: str
    data_sha256: str
    split_sha256: tuple[str, ...]
    recipes: Mapping[str, str]
    versions: Mapping[str, str]
    made: str
    refused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
