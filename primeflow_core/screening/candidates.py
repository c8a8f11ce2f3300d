"""The candidates of a screen: singles, pairs or triples of known perturbations, or a list; others are refused."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice, product
from pathlib import Path
from typing import Any, Literal

from primeflow_core.data.conditions import Condition, Perturbation, parse_perturbations
from primeflow_core.data.layout import SEPARATOR
from primeflow_core.errors import ConditionError, DataError, SettingError
from primeflow_core.model_store.available_conditions import Catalogue, Covariates
from primeflow_core.models.checkpoint import Manifest

Doses = Literal["highest", "all"] | tuple[float, ...]
"""The highest dose measured, all measured ones, or these, of every perturbation that has doses."""
LABEL = "perturbation"
SEPARATED_BY = (",", ";", "\t")
MOST_PARTS, MOST_CANDIDATES = 3, 500_000
BESIDE = " (see the list)"
"""Ends a message of the catalogue whose list a page shows. Refusals are shown without a list and without this text."""
_Measured = Mapping[Covariates, Mapping[str, set[float]]]


@dataclass(frozen=True)
class Refusal:
    """A candidate that cannot be screened, and why."""

    label: str
    why: str


@dataclass(frozen=True)
class Candidates:
    """``conditions``, each once, in the requested order.

    What all singles, pairs or triples pass over: ``unseen`` perturbations, which were not in training, so that the
    model cannot predict them, and those that were in training, but ``not_alone`` in any of the contexts.
    """

    conditions: tuple[Condition, ...]
    refused: tuple[Refusal, ...] = ()
    unseen: tuple[str, ...] = ()
    not_alone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """A line of a list: a label such as ``A+B`` or ``drug@0.5``, and the covariates that the list states for it."""

    label: str
    covariates: Covariates = ()


def all_singles(
    manifest: Manifest, contexts: Sequence[Covariates], doses: Doses = "highest", names: Sequence[str] | None = None
) -> Candidates:
    """Each perturbation seen in training, in each context; ``names`` selects some. Raises SettingError."""
    asking = _Asking(manifest, doses)
    found = asking.candidates(
        Condition((part,), covariates)
        for covariates in contexts
        for name in asking.named(names, asking.met)
        for part in asking.parts(name, covariates, asking.measured)
    )
    return found if names is not None else replace(found, unseen=asking.unseen)


def all_pairs(
    manifest: Manifest, contexts: Sequence[Covariates], doses: Doses = "highest", names: Sequence[str] | None = None
) -> Candidates:
    """Pairs of perturbations that were each seen alone in the context, or of ``names``. Raises SettingError."""
    return _combined(2, manifest, contexts, doses, names)


def all_triples(manifest: Manifest, contexts: Sequence[Covariates], doses: Doses, names: Sequence[str]) -> Candidates:
    """Triples of ``names``. Raises SettingError."""
    return _combined(3, manifest, contexts, doses, names)


def _combined(
    size: int, manifest: Manifest, contexts: Sequence[Covariates], doses: Doses, names: Sequence[str] | None
) -> Candidates:
    asking = _Asking(manifest, doses)
    found = asking.candidates(
        Condition(parts, covariates)
        for covariates in contexts
        for together in combinations(asking.named(names, sorted(asking.alone.get(covariates, ()))), size)
        for parts in product(*(asking.parts(name, covariates, asking.alone) for name in together))
    )
    return found if names is not None else replace(found, unseen=asking.unseen, not_alone=asking.not_alone(contexts))


def listed(
    manifest: Manifest, asked: Iterable[Asked], contexts: Sequence[Covariates], doses: Doses = "highest"
) -> Candidates:
    """The conditions of a list, in each context unless the line states its own. Any name of a gene is understood.

    A part without a dose takes ``doses``. Raises SettingError for more candidates than a screen takes.
    """
    asking = _Asking(manifest, doses)
    return asking.candidates(
        found
        for line in asked
        for covariates in asking.contexts(line, contexts)
        for found in asking.read(line, covariates)
    )


def read_file(path: Path, columns: Sequence[str]) -> tuple[Asked, ...]:
    """The lines of a csv with the column ``perturbation``, or of a table that ``screen`` wrote (.parquet).

    Those of the covariate ``columns`` that the file has are taken too, empty values not. Raises DataError.
    """
    rows = _parquet_rows(path, columns) if path.suffix == ".parquet" else _csv_rows(path)
    return tuple(
        Asked(row[LABEL].strip(), tuple((name, row[name].strip()) for name in columns if (row.get(name) or "").strip()))
        for row in rows
        if (row[LABEL] or "").strip()
    )


def _csv_rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            header = stream.readline()
            stream.seek(0)
            lines = csv.DictReader(stream, restval="", delimiter=max(SEPARATED_BY, key=header.count))
            rows = [_named(path, lines.line_num, row) for row in lines]
            names = [name.strip() for name in lines.fieldnames or ()]
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(_no_file(path)) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name} is not a readable csv. Save the candidates as csv, UTF-8.") from error
    return _with_labels(path, names, rows)


def _no_file(path: Path) -> str:
    return (
        f"There is no file {str(path)!r} of candidates. Name a csv with the column {LABEL}, or write all-singles, "
        "all-pairs or all-triples."
    )


def _named(path: Path, number: int, row: dict[str | None, Any]) -> dict[str, str]:
    """One line by the names of its columns. Raises DataError where it has more values than there are columns."""
    if any(map(str.strip, row.pop(None, ()))):
        raise DataError(
            f"Line {number} of {path.name} has more values than there are columns. Join the parts of a combination "
            f"with {SEPARATOR}: A{SEPARATOR}B."
        )
    return {str(name).strip(): value for name, value in row.items()}


def _parquet_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        table = pq.read_table(path, columns=[name for name in (LABEL, *columns) if name in names])
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(_no_file(path)) from None
    except pa.ArrowException as error:
        raise DataError(f"{path.name} is not a readable parquet file. Screen again, or give a csv.") from error
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in table.to_pylist()]
    return _with_labels(path, names, texts)


def _with_labels(path: Path, names: Sequence[str], rows: list[dict[str, str]]) -> list[dict[str, str]]:
    if LABEL not in names:
        has = ", ".join(names[:8]) or "none"
        raise DataError(
            f"{path.name} has no column {LABEL!r} (its columns: {has}). Name the column of the candidates so, "
            f"with labels such as A or A{SEPARATOR}B."
        )
    return rows


class _Asking:
    """One request for candidates: what is kept and what is refused. Look-ups use sets, for lists of 100,000."""

    def __init__(self, manifest: Manifest, doses: Doses) -> None:
        if isinstance(doses, tuple) and not all(dose > 0 for dose in doses):
            raise SettingError("Doses must be above 0.")
        self._catalogue = Catalogue(manifest)
        self._doses = doses
        self._separators = tuple(dict.fromkeys((manifest.layout.separator, SEPARATOR)))
        self._control = manifest.layout.control_labels
        self._contexts = frozenset(self._catalogue.contexts())
        self._highest = dict(zip(manifest.vocabulary.perturbations, manifest.vocabulary.highest_dose, strict=True))
        met = {part.name for condition in manifest.trained_on for part in condition.perturbations}
        self.met = tuple(name for name in manifest.vocabulary.perturbations if name in met)
        everything = {part.name for condition in manifest.held_out for part in condition.perturbations}
        self.unseen = tuple(sorted(everything.union(manifest.vocabulary.perturbations) - met))
        self.alone = _doses_by_name(c for c in manifest.trained_on if len(c.perturbations) == 1)
        self.measured = _doses_by_name((*manifest.trained_on, *manifest.held_out))
        self._refused: dict[Refusal, None] = {}
        self._answers: dict[str, str | ConditionError] = {}
        self._allowed: set[tuple[Perturbation, Covariates]] = set()

    def candidates(self, found: Iterable[Condition]) -> Candidates:
        kept: dict[Condition, None] = {}
        for condition in islice(found, MOST_CANDIDATES + 1):
            if condition in kept:
                where = f" in {condition.context}" if condition.context else ""
                self._refuse(condition.label, f"asked for more than once{where}; it is screened once")
            kept[condition] = None
        if len(kept) > MOST_CANDIDATES:
            raise SettingError(
                f"There are more than {MOST_CANDIDATES:,} candidates. Name fewer parts, doses or contexts."
            )
        return Candidates(tuple(kept), tuple(self._refused))

    def not_alone(self, contexts: Sequence[Covariates]) -> tuple[str, ...]:
        """The perturbations that were seen in training, but not alone in any of these contexts."""
        alone = {name for covariates in contexts for name in self.alone.get(covariates, ())}
        return tuple(sorted(set(self.met) - alone))

    def _refuse(self, label: str, why: str) -> None:
        self._refused[Refusal(label, why.replace(BESIDE, ""))] = None

    def named(self, names: Sequence[str] | None, otherwise: Sequence[str]) -> list[str]:
        """``names`` as the model writes them, those seen in training, sorted; ``otherwise`` if there are none."""
        if names is None:
            return list(otherwise)
        known: dict[str, None] = {}
        for name in names:
            try:
                known[self._part(name)] = None
            except ConditionError as why:
                self._refuse(name, str(why))
        return sorted(known)

    def _resolved(self, typed: str) -> str:
        """As the catalogue says; a look-up that fails searches for guesses, which a long list asks for but once."""
        if typed not in self._answers:
            try:
                self._answers[typed] = self._catalogue.resolve(typed)
            except ConditionError as why:
                self._answers[typed] = why
        answer = self._answers[typed]
        if isinstance(answer, ConditionError):
            raise answer
        return answer

    def _part(self, typed: str) -> str:
        name = self._resolved(typed)
        self._catalogue.condition((Perturbation(name, self._highest[name]),), next(iter(self._contexts)))
        return name

    def parts(self, name: str, covariates: Covariates, known: _Measured) -> list[Perturbation]:
        """The perturbation at each requested dose, if possible at those ``known`` in this context."""
        highest = self._highest[name]
        if highest is None:
            return [Perturbation(name)]
        here = known.get(covariates, {}).get(name) or self.measured.get(covariates, {}).get(name)
        doses = here or {dose for measured in self.measured.values() for dose in measured.get(name, ())} or {highest}
        if self._doses == "highest":
            return [Perturbation(name, max(doses))]
        if self._doses == "all":
            return [Perturbation(name, dose) for dose in sorted(doses)]
        for dose in self._doses:
            if dose > highest:
                self._refuse(
                    f"{name}@{dose:g}", f"{name} was measured up to dose {highest:g}; {dose:g} is beyond that."
                )
        return [Perturbation(name, dose) for dose in self._doses if dose <= highest]

    def contexts(self, line: Asked, contexts: Sequence[Covariates]) -> list[Covariates]:
        """The contexts in which a line of a list is screened."""
        stated = {name: self._value(name, value) for name, value in line.covariates}
        meant = dict.fromkeys(tuple((name, stated.get(name, value)) for name, value in one) for one in contexts)
        for covariates in meant:
            if covariates not in self._contexts:
                here = " · ".join(value for _, value in covariates)
                known = ", ".join(sorted(Condition((), one).context for one in self._contexts))
                self._refuse(line.label, f"The model knows no cells of {here!r}. It knows: {known}.")
        return [covariates for covariates in meant if covariates in self._contexts]

    def _value(self, column: str, said: str) -> str:
        """The name as the model writes it; upper and lower case do not matter."""
        known = {value for one in self._contexts for name, value in one if name == column}
        return said if said in known else {value.casefold(): value for value in known}.get(said.casefold(), said)

    def read(self, line: Asked, covariates: Covariates) -> Iterator[Condition]:
        """The conditions that a label stands for, one for each dose; none where it is refused."""
        try:
            typed = self._parsed(line.label)
            if not 1 <= len(typed) <= MOST_PARTS:
                raise ConditionError(
                    f"It has {len(typed)} parts; a candidate has 1 to {MOST_PARTS}."
                    if typed
                    else "Control cells are what candidates are compared with."
                )
            for parts in product(*(self._dosed(part, covariates, len(typed)) for part in typed)):
                yield self._condition(parts, covariates)
        except ConditionError as why:
            self._refuse(line.label, str(why))

    def _condition(self, parts: Sequence[Perturbation], covariates: Covariates) -> Condition:
        """The condition from the catalogue, which is asked only once for each part."""
        for part in parts:
            if (part, covariates) not in self._allowed:
                self._catalogue.condition((part,), covariates)
                self._allowed.add((part, covariates))
        if len({part.name for part in parts}) < len(parts):
            return self._catalogue.condition(parts, covariates)
        return Condition(tuple(sorted(parts, key=lambda part: part.name)), covariates)

    def _parsed(self, label: str) -> tuple[Perturbation, ...]:
        """Parses a label with the separator of the model's data, or with the one in tables of PRiMeFlow."""
        refusals: list[ConditionError] = []
        for separator in self._separators:
            try:
                typed = parse_perturbations(label, separator=separator, control=self._control)
                return tuple(Perturbation(self._resolved(part.name), part.dose) for part in typed)
            except ConditionError as why:
                refusals.append(why)
        raise refusals[0]

    def _dosed(self, part: Perturbation, covariates: Covariates, size: int) -> list[Perturbation]:
        if part.dose is not None:
            return [part]
        return self.parts(part.name, covariates, self.alone if size > 1 else self.measured)


def _doses_by_name(conditions: Iterable[Condition]) -> dict[Covariates, dict[str, set[float]]]:
    """Doses of each perturbation in each context; an empty set where it has none."""
    found: dict[Covariates, dict[str, set[float]]] = {}
    for condition in conditions:
        here = found.setdefault(condition.covariates, {})
        for part in condition.perturbations:
            here.setdefault(part.name, set()).update(() if part.dose is None else (part.dose,))
    return found
