"""A finished screen and its file: one parquet, the ranking as columns, where it comes from as JSON in its schema.

No time of day is kept: equal screens give equal bytes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from primeflow_core.data.conditions import parse_perturbations
from primeflow_core.data.gene_names import current_symbol
from primeflow_core.errors import DataError, PrimeflowError, SettingError
from primeflow_core.models.checkpoint import Manifest, of_model
from primeflow_core.runtime.atomic_files import replaced
from primeflow_core.runtime.json_text import parse_json, shortened
from primeflow_core.runtime.provenance import versions
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.next_experiments import RULE, next_experiments
from primeflow_core.screening.next_experiments import columns as next_columns
from primeflow_core.screening.ranking import TEXTS, WHOLE, columns, with_places
from primeflow_core.screening.screen_spec import RESAMPLES, ScreenOrder
from primeflow_core.screening.trust import Trust
from primeflow_core.screening.unseen_combinations import caution
from primeflow_core.wording import counted

FORMAT = 1
SAID = b"primeflow_screen"
UNFINISHED = "unfinished"
"""Key of ``about`` in what a cancelled screen leaves."""
CHANGES = ("change", "change_error")
READ_AS: Mapping[type, tuple[Any, str]] = {
    str: (str, "a text"),
    int: (int, "a whole number"),
    float: (int | float | None, "a number or null"),
}
"""By the type of a column: what JSON has for it, and its name in messages."""
NUMBERS_OF_ORDER = ("candidates", "checked")


@dataclass(frozen=True)
class Screen:
    """``table``: ``ranking.columns``, best first; ``about``: JSON, where it comes from (``about``); ``trust``: None if
    it is not known; ``next``: ``next_experiments``.

    ``changes`` and ``change_errors``: (N, G) float16, log2 change of the table's rows and its standard error by
    ``genes``; (0, 0) where they were not kept.
    """

    table: pd.DataFrame
    about: Mapping[str, Any]
    trust: Trust | None
    next: pd.DataFrame
    genes: tuple[str, ...]
    changes: np.ndarray
    change_errors: np.ndarray

    @property
    def goal(self) -> Goal:
        return Goal.from_json(self.about["order"]["goal"])

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariate columns."""
        return tuple(self.about["covariates"])

    @property
    def caution(self) -> str:
        """What to say beside the ranking; empty where there is nothing."""
        return str(self.about.get("caution", ""))


def about(
    order: ScreenOrder,
    manifest: Manifest,
    refused: Iterable[tuple[str, str]],
    controls: Literal["measured", "predicted"],
) -> dict[str, Any]:
    """The description with which a screen can be repeated and read. ``refused``: label and reason of each candidate
    that was not ranked; ``controls``: the controls that changes are measured from."""
    said = _from_json(order.to_json())
    return {
        **of_model(manifest),
        "simulated": manifest.simulated,
        "sentence": order.goal.sentence,
        "unit": order.goal.record.unit,
        "covariates": [column for column, _ in manifest.vocabulary.covariates],
        "controls": controls,
        "refused": [list(each) for each in refused],
        **{name: len(said[name]) for name in NUMBERS_OF_ORDER},
        "order": {name: value for name, value in said.items() if name not in NUMBERS_OF_ORDER},
        "fingerprint": order.fingerprint,
        "rule": RULE,
        "versions": versions(),
        **({"caution": warning} if (warning := caution(manifest, order.candidates)) else {}),
    }


def write_screen(path: Path, screen: Screen) -> None:
    """The changes are columns of lists, last, where there are any."""
    arrays = {name: _array(screen.table[name], kind) for name, kind in _kinds(screen.covariates).items()}
    if len(screen.changes):
        arrays |= {
            name: _lists(each) for name, each in zip(CHANGES, (screen.changes, screen.change_errors), strict=True)
        }
    said = {
        "format": FORMAT,
        "about": screen.about,
        "trust": None if screen.trust is None else screen.trust.to_json(),
        "next": _records(screen.next),
        "genes": list(screen.genes),
    }
    metadata = {SAID: json.dumps(said, sort_keys=True, allow_nan=False).encode()}
    with replaced(path) as temporary:
        pq.write_table(pa.table(arrays).replace_schema_metadata(metadata), temporary, compression="zstd")


def read_screen(path: Path) -> Screen:
    """Raises DataError for anything but what ``write_screen`` makes."""
    if not path.is_file():
        raise DataError(f"There is no file {path}. Name a ranking that `screen` wrote.")
    try:
        return _screen(pq.read_table(path))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError, PrimeflowError) as error:
        reason = str(error).rstrip(".")
        raise DataError(
            f"{path} cannot be read as a ranking: {reason}. Name a file that `screen` wrote, or screen again."
        ) from error


def moves(screen: Screen, gene: str) -> Screen:
    """Ranks the candidates by their change of ``gene``, from a screen that kept its changes; needs no model.

    Intervals are those of a normal error around each change. A candidate that targets the gene itself has no score.
    Raises SettingError for a gene that is not there, or a screen without changes.
    """
    place = _place_of(gene, screen)
    goal = Goal("moves", (screen.genes[place],))
    change, error = (each[:, place].astype(np.float64) for each in (screen.changes, screen.change_errors))
    own = _targeting(screen.table["perturbation"], _symbol(screen.genes[place]))
    draws = np.random.default_rng(0).standard_normal((len(change), RESAMPLES))
    scored = screen.table.assign(score=np.where(own, np.nan, change), sum_score=np.nan, seed_spread=np.nan)
    table, stood = with_places(scored, change[:, None] + error[:, None] * draws, screen.covariates, goal)
    changes, errors = screen.changes[stood], screen.change_errors[stood]
    chosen = next_experiments(table, changes, len(screen.next), goal)
    return Screen(table, _asking(screen.about, goal), None, chosen, screen.genes, changes, errors)


def _asking(said: Mapping[str, Any], goal: Goal) -> dict[str, Any]:
    """``about`` of the same candidates with another goal."""
    order = {**said["order"], "goal": _from_json(goal.to_json())}
    return {**said, "order": order, "sentence": goal.sentence, "unit": goal.record.unit, "read_from": said["sentence"]}


def _from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data as read from a file, so that a new screen equals one that was read."""
    plain: dict[str, Any] = json.loads(json.dumps(data))
    return plain


def _place_of(gene: str, screen: Screen) -> int:
    if not len(screen.changes):
        raise SettingError(
            "This ranking was kept without the change of every gene, which is needed to find what moves a gene. "
            "Screen again with --changes."
        )
    if gene in screen.genes:
        return screen.genes.index(gene)
    symbols = [_symbol(name) for name in screen.genes]
    if _symbol(gene) not in symbols:
        raise SettingError(f"{gene} is not one of the {len(symbols):,} genes of this ranking. Choose one of them.")
    return symbols.index(_symbol(gene))


def _targeting(labels: Iterable[str], symbol: str) -> np.ndarray:
    """(N,) whether a perturbation of the candidate is the gene itself."""
    return np.array([symbol in {_symbol(part.name) for part in parse_perturbations(label)} for label in labels])


def _symbol(name: str) -> str:
    return (current_symbol(name) or name.strip()).casefold()


def _kinds(covariates: Sequence[str]) -> dict[str, pa.DataType]:
    texts = {*TEXTS, *covariates}
    return {
        name: pa.string() if name in texts else pa.int64() if name in WHOLE else pa.float64()
        for name in columns(covariates)
    }


def _array(column: pd.Series, kind: pa.DataType) -> pa.Array:
    """NaN stays a number; only ranks are missing."""
    return pa.array(column, kind) if kind == pa.int64() else pa.array(column.to_numpy(), kind, from_pandas=False)


def _lists(values: np.ndarray) -> pa.ListArray:
    ends = pa.array(np.arange(len(values) + 1) * values.shape[1], pa.int32())
    return pa.ListArray.from_arrays(ends, values.astype(np.float16).reshape(-1))


def _records(table: pd.DataFrame) -> dict[str, Any]:
    rows = table.astype(object).to_numpy().tolist()
    return {"columns": list(table), "rows": [[None if pd.isna(value) else value for value in row] for row in rows]}


def _said(read: pa.Table) -> dict[str, Any]:
    """The metadata of the file, checked. Raises DataError."""
    from primeflow_core.screening.screen_schema import ScreenFile

    text = (read.schema.metadata or {}).get(SAID, b"null")
    said = parse_json(text)
    if not isinstance(said, dict):
        raise DataError("it does not describe a screen")
    if said.get("format") != FORMAT:
        raise DataError(f"it has format {said.get('format')!r} and this version of PRiMeFlow reads format {FORMAT}")
    ScreenFile.read(text)
    return said


def _screen(read: pa.Table) -> Screen:
    said = _said(read)
    Goal.from_json(said["about"]["order"]["goal"])
    covariates = said["about"]["covariates"]
    genes = tuple(said["genes"])
    trust = None if said["trust"] is None else Trust.from_json(said["trust"])
    chosen = _next(said["next"], covariates)
    table = _table(read, covariates)
    changes, errors = (_changes(read, name, len(genes)) for name in CHANGES)
    return Screen(table, said["about"], trust, chosen, genes, changes, errors)


def _table(read: pa.Table, covariates: Sequence[str]) -> pd.DataFrame:
    kinds = _kinds(covariates)
    if missing := [name for name in kinds if name not in read.column_names]:
        raise DataError(f"the columns {', '.join(missing)} are missing")
    if wrong := [name for name, kind in kinds.items() if read[name].type != kind]:
        raise DataError(f"the columns {', '.join(wrong)} are of another type")
    table = read.select(list(kinds)).to_pandas(ignore_metadata=True)
    return table.astype({name: "Int64" for name in WHOLE})


def _changes(read: pa.Table, name: str, genes: int) -> np.ndarray:
    if name not in read.column_names or not len(read):
        return np.zeros((0, 0), np.float16)
    values = read[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(values) != len(read) * genes:
        raise DataError(
            f"the column {name} must have {counted(genes, 'number')} in each row, one for each of its genes"
        )
    shaped: np.ndarray = values.reshape(len(read), genes).astype(np.float16, copy=False)
    return shaped


def _next(said: Mapping[str, Any], covariates: Sequence[str]) -> pd.DataFrame:
    expected = next_columns(covariates)
    if tuple(said["columns"]) != expected:
        raise DataError(f"next.columns is {shortened(said['columns'])}; it must be {', '.join(expected)}")
    texts = {"perturbation", "why", *covariates}
    kinds: dict[str, type] = {name: str if name in texts else int if name == "place" else float for name in expected}
    for number, row in enumerate(said["rows"]):
        _check_row(f"next.rows[{number}]", row, kinds)
    table = pd.DataFrame(said["rows"], columns=list(expected))
    return table.astype({name: object if kind is str else kind for name, kind in kinds.items()})


def _check_row(where: str, row: Sequence[Any], kinds: Mapping[str, type]) -> None:
    """Raises DataError for a value of another type than its column has. A missing number is null."""
    if len(row) != len(kinds):
        raise DataError(f"{where} has {counted(len(row), 'value')}; it must have {len(kinds)}, one for each column")
    for place, (value, kind) in enumerate(zip(row, kinds.values(), strict=True)):
        fits, words = READ_AS[kind]
        if not isinstance(value, fits):
            raise DataError(f"{where}[{place}] is {shortened(value)}; it must be {words}")
