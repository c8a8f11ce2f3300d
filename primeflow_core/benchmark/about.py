"""What a benchmark was of, and the names of the files that tell its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ABOUT, LEADERBOARD, CONDITIONS, CELLS = "about.json", "benchmark.csv", "conditions.parquet", "cells.parquet"


PICTURE = b"primeflow_picture"
"""Key of the parquet's metadata: a JSON object, of each context the titles of both axes."""


@dataclass(frozen=True)
class About:
    """What a benchmark is of. ``split`` says in plain words what was held out, ``recipes`` the title of each name,
    ``command`` what makes all of it again, ``refused`` of each recipe the conditions it cannot predict, and why,
    ``failed`` the trainings that came to no end, and why."""

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
    versions: Mapping[str, Any]
    made: str
    refused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
