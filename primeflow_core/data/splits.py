"""Splits: which cells are for training, validation and test, read from a file or made as PerturBench makes them.

PerturBench (section Splits of its code): held-out (condition, covariates) pairs go half to validation, half to test,
stratified by covariates; a group with a single held-out pair is left out; control cells are shuffled together, half
for training, a quarter each for validation and test. The draws come from Python's ``random`` and from scikit-learn in
the same order, perturbations in that of the file's categories, so the same seed holds out the same pairs.

It differs in three things. With several covariate columns PerturBench takes a group for the set of its values and
stratifies by the text of that set, which hangs on Python's hash seed, so that its own halves differ from run to run;
here it is the values in column order. A+B and B+A in one group are one condition here, two there. A label is a
combination here when it names two perturbations, there when it holds the separator, as ``(+)-JQ1`` and ``A+ctrl`` do.
"""

import csv
import gzip
import io
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import LEFT_OUT, PARTS, TEST, TRAIN, VAL, listed_parts
from primeflow_core.errors import DataError, SettingError
from primeflow_core.runtime.atomic_files import replaced

_MOST_HELD_OUT = 200


@dataclass(frozen=True)
class Split:
    """Cell names and the part of each: train, val, test or left-out; ``source`` is the file for messages."""

    names: np.ndarray
    parts: np.ndarray
    source: str = "split in memory"

    def part_of(self, cells: Cells) -> np.ndarray:
        """(N,) the part of each cell; left-out where the split does not name it."""
        found = pd.Index(self.names).get_indexer(pd.Index(cells.names))
        parts = np.append(self.parts.astype(object), LEFT_OUT)
        return parts[found]

    def indices(self, cells: Cells, part: str) -> np.ndarray:
        """Indices into ``cells`` of ``part``, in file order. Raises SettingError for an unknown part."""
        if part not in PARTS:
            raise SettingError(f"{part!r} is not a part of a split; use {', '.join(PARTS)}.")
        return np.flatnonzero(self.part_of(cells) == part)

    def conditions(self, cells: Cells, part: str) -> tuple[Condition, ...]:
        """Conditions that have cells in ``part``, in the order of ``cells.conditions``."""
        return tuple(cells.conditions[i] for i in np.unique(cells.condition_of[self.indices(cells, part)]))

    def leaks(self, cells: Cells) -> tuple[Condition, ...]:
        """Perturbed conditions with cells both in training and in validation or test; empty where whole conditions are
        held out. A split that holds cells out of every condition (``context_split.cells_split``) has all of them."""
        train = set(self.conditions(cells, TRAIN))
        held_out = dict.fromkeys((*self.conditions(cells, VAL), *self.conditions(cells, TEST)))
        return tuple(condition for condition in held_out if condition in train and not condition.is_control)

    def write(self, path: Path) -> None:
        """A csv with the columns cell and split; ``.gz`` packs it. The same split gives the same bytes."""
        with replaced(path) as temporary:
            temporary.write_bytes(self.stored(packed=path.suffix == ".gz"))

    def stored(self, *, packed: bool) -> bytes:
        """What ``write`` writes."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("cell", "split"))
        writer.writerows(zip(self.names.tolist(), self.parts.tolist(), strict=True))
        data = text.getvalue().encode()
        return gzip.compress(data, mtime=0) if packed else data


def read_split(path: Path, cells: Cells, unlisted: str | None = None) -> Split:
    """Read a split file for ``cells``: columns cell and split, with or without that header; ``.csv`` or ``.csv.gz``.

    ``unlisted`` says what happens to cells that the file does not name: ``train`` or ``leave-out``; None: an error.
    Raises DataError for unknown values, cells named twice, cells not in the data, and cells not in the file.
    """
    if unlisted not in (None, TRAIN, "leave-out"):
        raise SettingError(f"Cells that the split does not name can go to 'train' or 'leave-out', not {unlisted!r}.")
    listed = listed_parts(path)
    known = pd.Index(np.concatenate([cells.names, cells.set_aside]))
    foreign = [name for name, at in zip(listed, known.get_indexer(pd.Index(list(listed))), strict=True) if at < 0]
    if foreign:
        raise DataError(
            f"{path.name} names {len(foreign):,} cells that are not in {cells.source}, for instance {foreign[0]!r}. "
            "Use the split that belongs to this file."
        )
    missing = [name for name in cells.names.tolist() if name not in listed]
    if missing and unlisted is None:
        raise DataError(
            f"{path.name} does not name {len(missing):,} of the {len(cells):,} cells of {cells.source}, for instance "
            f"{missing[0]!r}. Say what to do with them: --unlisted train or --unlisted leave-out."
        )
    other = TRAIN if unlisted == TRAIN else LEFT_OUT
    parts = np.array([listed.get(name, other) for name in cells.names.tolist()])
    return Split(cells.names, parts, path.name)


Group = tuple[str, ...]


class LabelInGroup(NamedTuple):
    """A condition label of the file in one covariate group."""

    label: str
    group: Group


class TooFewConditionsError(DataError):
    """PerturBench's rule needs more conditions than these cells have."""


def combo_split(cells: Cells, seed: int = 42, fraction: float = 0.7) -> Split:
    """PerturBench's combination split: ``fraction`` of the combinations of each covariate group are held out.

    Combinations count in order of appearance; every single stays in training. The order of the groups has no bearing:
    each is drawn and halved on its own. Raises DataError where there are too few combinations, SettingError for a
    fraction outside 0 to 1.
    """
    _check_fraction(fraction)
    combinations = dict.fromkeys(
        pair
        for pair, condition in zip(_pairs(cells), cells.conditions, strict=True)
        if len(condition.perturbations) > 1
    )
    held_out: list[LabelInGroup] = []
    for group in dict.fromkeys(pair.group for pair in combinations):
        of_group = [pair for pair in combinations if pair.group == group]
        count = min(int(fraction * len(of_group)), _MOST_HELD_OUT)
        held_out += random.Random(seed).sample(of_group, count)
    return _assigned(cells, held_out, seed)


def transfer_split(cells: Cells, seed: int = 42, fraction: float = 0.3) -> Split:
    """PerturBench's covariate transfer: a perturbation seen in several groups is held out in one of them.

    At most ``fraction`` of the conditions of a group (200 at most) are held out. Raises as ``combo_split``.
    """
    _check_fraction(fraction)
    in_group = Counter(pair.group for pair in dict.fromkeys(_pairs(cells)))
    cap = {group: min(fraction * count, _MOST_HELD_OUT) for group, count in in_group.items()}
    taken: Counter[Group] = Counter()
    held_out: list[LabelInGroup] = []
    seeds = np.random.RandomState(seed)
    for label, groups in sorted(_groups_of(cells).items(), key=lambda item: -len(item[1])):
        draw = random.Random(int(seeds.randint(100000)))
        pool = [group for group in groups if taken[group] < cap[group]]
        if len(groups) < 2 or not pool:
            continue
        for group in draw.sample(pool, draw.randint(1, max(len(pool) - len(cap) + 1, 1))):
            taken[group] += 1
            held_out.append(LabelInGroup(label, group))
    return _assigned(cells, held_out, seed)


def held_out_split(cells: Cells, part_of: Mapping[Condition, str], seed: int = 42) -> Split:
    """Hold out the conditions that ``part_of`` names (val, test or left-out); controls are divided as PerturBench does.

    Raises DataError for a condition without cells, SettingError for an unknown part.
    """
    for condition, part in part_of.items():
        if part not in (VAL, TEST, LEFT_OUT):
            raise SettingError(f"{condition.label} cannot be held out as {part!r}; use val, test or left-out.")
        if condition.is_control or condition not in cells.conditions:
            raise DataError(
                f"{cells.source} has no perturbed cells of {condition.label} in {condition.context or 'it'}."
            )
    of_condition = np.array([part_of.get(condition, TRAIN) for condition in cells.conditions], dtype=object)
    return Split(cells.names, _with_controls(cells, of_condition[cells.condition_of], seed).astype(str))


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction <= 1:
        raise SettingError(f"The held-out fraction is {fraction:g}; it lies above 0 and at most at 1.")


def _pairs(cells: Cells) -> list[LabelInGroup]:
    """The pair of each condition, in order of appearance in the file; doses of one label share a pair."""
    labels = cells.labels or tuple(condition.label for condition in cells.conditions)
    return [
        LabelInGroup(label, tuple(value for _, value in condition.covariates))
        for label, condition in zip(labels, cells.conditions, strict=True)
    ]


def _groups_of(cells: Cells) -> dict[str, list[Group]]:
    """The groups of each perturbed label in order of appearance, the labels in the file's order, else sorted."""
    pairs = dict.fromkeys(p for p, c in zip(_pairs(cells), cells.conditions, strict=True) if not c.is_control)
    place = {label: i for i, label in enumerate(cells.label_order)}
    labels = sorted({pair.label for pair in pairs}, key=lambda label: (place.get(label, 0), label))
    groups_of: dict[str, list[Group]] = {label: [] for label in labels}
    for label, group in pairs:
        groups_of[label].append(group)
    return groups_of


def _assigned(cells: Cells, held_out: Sequence[LabelInGroup], seed: int) -> Split:
    """Halve the held-out pairs between validation and test, divide the controls, leave the rest in training."""
    from sklearn.model_selection import train_test_split  # slow to import, and reading a split needs none of it

    times = Counter(pair.group for pair in held_out)
    kept = [pair for pair in held_out if times[pair.group] > 1]
    try:
        strata = [",".join(map(repr, pair.group)) for pair in kept]
        val, test = train_test_split(kept, stratify=strata, test_size=0.5, random_state=seed)
    except ValueError as error:
        raise TooFewConditionsError(
            f"{cells.source}: {len(kept)} held-out conditions in {len(set(times))} covariate groups are too few to "
            "halve between validation and test. Raise --fraction, or use another --task: `primeflow check` lists those "
            "that this file allows."
        ) from error
    part_by_pair = {**dict.fromkeys(held_out, LEFT_OUT), **dict.fromkeys(val, VAL), **dict.fromkeys(test, TEST)}
    of_condition = np.array([part_by_pair.get(pair, TRAIN) for pair in _pairs(cells)], dtype=object)
    return Split(cells.names, _with_controls(cells, of_condition[cells.condition_of], seed).astype(str))


def _with_controls(cells: Cells, parts: np.ndarray, seed: int) -> np.ndarray:
    is_control = np.array([condition.is_control for condition in cells.conditions])
    controls = np.flatnonzero(is_control[cells.condition_of]).tolist()
    shuffled = random.Random(seed).sample(controls, len(controls))
    half, three_quarters = int(0.5 * len(controls)), int(0.75 * len(controls))
    divided = parts.copy()
    for part, rows in (
        (TRAIN, shuffled[:half]),
        (VAL, shuffled[half:three_quarters]),
        (TEST, shuffled[three_quarters:]),
    ):
        divided[rows] = part
    return divided


class SinglesSeen(StrEnum):
    """How many parts of a held-out combination training has alone, in the same context."""

    ALL = "both singles seen"
    SOME = "one single seen"
    NONE = "no single seen"


def singles_seen(condition: Condition, trained_on: Sequence[Condition]) -> SinglesSeen:
    """For a combination and the conditions of the training cells; a single's own parts are itself."""
    known = set(trained_on)
    seen = sum(part in known for part in condition.parts)
    if seen == len(condition.parts):
        return SinglesSeen.ALL
    return SinglesSeen.SOME if seen else SinglesSeen.NONE


@dataclass(frozen=True)
class HeldOut:
    """A condition that training did not see; ``cells`` measured ones in ``part``; ``singles`` None for a single."""

    condition: Condition
    part: str
    cells: int
    singles: SinglesSeen | None


def held_out(cells: Cells, split: Split) -> tuple[HeldOut, ...]:
    """The perturbed conditions of validation and test that training does not see, validation first, in file order."""
    trained_on = split.conditions(cells, TRAIN)
    known = set(trained_on)
    listed = []
    for part in (VAL, TEST):
        counts = np.bincount(cells.condition_of[split.indices(cells, part)], minlength=len(cells.conditions))
        for condition, count in zip(cells.conditions, counts.tolist(), strict=True):
            if count and not condition.is_control and condition not in known:
                pair = len(condition.perturbations) > 1
                listed.append(HeldOut(condition, part, count, singles_seen(condition, trained_on) if pair else None))
    return tuple(listed)
