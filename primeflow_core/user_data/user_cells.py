"""A user's own cells, and how they are used beside the cells that a model was trained on.

The model learns nothing from them. Their control cells take the place of the model's, or their perturbed cells are
the truth that predictions are compared with.
"""

import hashlib
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.datasets import DATASETS
from primeflow_core.data.gene_matching import LEAST_SHARE, match_genes
from primeflow_core.data.h5ad.reading import read_as, read_mended
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import Repair
from primeflow_core.errors import DataError
from primeflow_core.model_store.available_conditions import Covariates
from primeflow_core.model_store.condition_matching import ConditionMatch
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.user_data.uploads import BroughtFile, speaking_of

HELD_SECONDS = 4 * 3600.0


class Purpose(StrEnum):
    """How a user's cells are used."""

    CONTEXT = "cells you start from"
    TRUTH = "measured truth"


@dataclass(frozen=True)
class Fixes:
    """What the user says about a file: its columns, and the fixes to apply while reading it.

    ``contexts``: for a context of the file the context of the model that its cells are, None to leave them out.
    """

    wishes: Wishes = field(default_factory=Wishes)
    repair: Repair = field(default_factory=Repair)
    contexts: tuple[tuple[str, str | None], ...] = ()


def known_fixes(sha256: str, manifests: Iterable[Manifest]) -> Fixes:
    """How a file of this content was read before: by the training of a model, or as the named data set that it is."""
    readings = [manifest.reading for manifest in manifests if manifest.data_sha256 == sha256]
    readings += [dataset.reading for dataset in DATASETS if dataset.sha256 == sha256]
    return Fixes(Wishes.exactly(readings[0].layout), readings[0].repair) if readings else Fixes()


@dataclass(frozen=True)
class Own:
    """A user's cells. ``stands_for``: the model's covariates by context of the file; other contexts are left out.

    ``model`` names the folder of the model that they were checked against; ``name`` is the file's, for showing.
    """

    file: Path
    sha256: str
    name: str
    fixes: Fixes
    purpose: Purpose
    model: str
    stands_for: tuple[tuple[str, Covariates], ...]
    simulated: bool = False

    @property
    def covariates(self) -> tuple[Covariates, ...]:
        """The contexts of the model that these cells stand for, each once."""
        return tuple(dict.fromkeys(covariates for _, covariates in self.stands_for))

    @property
    def measured_word(self) -> str:
        return "simulated" if self.simulated else "measured"


@dataclass(frozen=True)
class Draft:
    """A file that a user looks at, with the choices made so far."""

    brought: BroughtFile
    fixes: Fixes = field(default_factory=Fixes)

    @property
    def sha256(self) -> str:
        return self.brought.sha256


class OwnShelf:
    """Users' cells and drafts by an unguessable token, the latest last; any thread may call it.

    What nobody asked for during ``held_for`` seconds of ``clock`` is still given, but holds its file no longer: no
    session says when it ends.
    """

    def __init__(
        self, most: int = 400, held_for: float = HELD_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._held_for = held_for
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Own | Draft, float]] = OrderedDict()
        self._given_up: set[str] = set()

    def put(self, kept: Own | Draft, token: str = "") -> str:
        """Keep it in place of what ``token`` names, and return its token."""
        token = token or secrets.token_urlsafe(18)
        with self._lock:
            self._kept[token] = (kept, self._clock())
            self._kept.move_to_end(token)
            self._given_up.discard(kept.sha256)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return token

    def get(self, token: str) -> Own | None:
        found = self._found(token)
        return found if isinstance(found, Own) else None

    def draft(self, token: str) -> Draft | None:
        found = self._found(token)
        return found if isinstance(found, Draft) else None

    def _found(self, token: str) -> Own | Draft | None:
        with self._lock:
            if token not in self._kept:
                return None
            kept, _ = self._kept[token]
            self._kept[token] = (kept, self._clock())
            self._kept.move_to_end(token)
            return kept

    def forget(self, token: str) -> None:
        with self._lock:
            self._kept.pop(token, None)

    def holds(self, sha256: str) -> bool:
        """Whether a user still uses or looks at the file with this content."""
        with self._lock:
            return self._holds(sha256)

    def _holds(self, sha256: str) -> bool:
        since = self._clock() - self._held_for
        return any(kept.sha256 == sha256 and asked >= since for kept, asked in self._kept.values())

    def give_up(self, sha256: str) -> tuple[str, ...]:
        """Say that this file is to go. The checksums of those that can go now, held up ones of before among them."""
        with self._lock:
            self._given_up.add(sha256)
            free = tuple(sorted(each for each in self._given_up if not self._holds(each)))
            self._given_up.difference_update(free)
            return free


def read_own(own: Own) -> Cells:
    """All cells of the file in its own genes, names and contexts, log-normalised. Raises DataError."""
    if not own.file.is_file():
        raise DataError(f"{own.name} is no longer kept on this machine. Upload it again on the page Your cells.")
    with speaking_of(own.file, own.name):
        cells = read_mended(own.file, own.fixes.wishes, own.fixes.repair)
    return replace(cells, source=own.name)


def read_trained_on(file: Path, manifest: Manifest) -> Cells:
    """The cells of a user's file that a model was trained on, as its training read them. Raises DataError."""
    with speaking_of(file, manifest.dataset):
        cells = read_as(file, manifest.reading)
    return replace(cells, source=manifest.dataset)


def aligned(own: Own, manifest: Manifest) -> Cells:
    """The cells in the genes (N, G), contexts and names of a model; what the model does not know is left out.

    Genes that the file lacks are 0. As cells to start from only the controls are kept. ``sha256`` names the content
    with everything that was chosen. Raises DataError where too few genes or no cells are left.
    """
    _check_contexts(own, manifest)
    cells = read_own(own)
    meant = _meant(own, cells.conditions, manifest)
    kept = cells.subset(np.flatnonzero(np.array([c in meant for c in cells.conditions])[cells.condition_of]))
    if not len(kept):
        raise DataError(f"{own.name} has no cells that {manifest.name} knows. Check them on the page Your cells.")
    conditions = tuple(dict.fromkeys(meant[condition] for condition in kept.conditions))
    position = np.array([conditions.index(meant[condition]) for condition in kept.conditions])
    kinds = {meant[condition]: kind for condition, kind in zip(kept.conditions, kept.kinds, strict=False)}
    return Cells(
        _in_order(kept, manifest.genes, own.name), manifest.genes, kept.names, conditions, position[kept.condition_of],
        tuple(kinds[condition] for condition in conditions if kinds),
        Reading(Layout(covariates=tuple(column for column, _ in manifest.vocabulary.covariates))), own.name,
        fingerprint(own, manifest),
    )  # fmt: skip


def _meant(own: Own, conditions: tuple[Condition, ...], manifest: Manifest) -> dict[Condition, Condition]:
    """What conditions of the file are to the model, without those that are left out; several may mean the same."""
    match = ConditionMatch(manifest, dict(own.stands_for))
    found = {condition: match.meant(condition) for condition in conditions}
    only_controls = own.purpose is Purpose.CONTEXT
    return {c: known for c, known in found.items() if known is not None and (known.is_control or not only_controls)}


def fingerprint(own: Own, manifest: Manifest) -> str:
    """sha256 of the file's content, all choices, and the genes and names of the model."""
    chosen = {**asdict(own), "file": "", "vocabulary": asdict(manifest.vocabulary), "genes": manifest.genes}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def _check_contexts(own: Own, manifest: Manifest) -> None:
    known = dict(manifest.vocabulary.covariates)
    for covariates in own.covariates:
        if set(known) != {column for column, _ in covariates} or any(v not in known[c] for c, v in covariates):
            raise DataError(
                f"{own.name} was checked against another model ({own.model}). "
                f"Choose {manifest.name} on the page Your cells and check it again."
            )


def _in_order(cells: Cells, genes: tuple[str, ...], name: str) -> sp.csr_matrix:
    """Values (N, G) in the order of ``genes``, 0 where the file has none."""
    match = match_genes(cells.genes, genes)
    if not match.enough:
        raise DataError(
            f"{match.found} of {len(genes)} model genes are in {name}; {LEAST_SHARE:.0%} are needed. "
            "Choose the column with symbols on the page Your cells."
        )
    found = np.flatnonzero(match.columns >= 0)
    ones = np.ones(len(found), dtype=np.float32)
    order = sp.csr_matrix((ones, (match.columns[found], found)), shape=(len(cells.genes), len(genes)))
    return sp.csr_matrix(sp.csr_matrix(cells.values) @ order, dtype=np.float32)
