"""The folder of a search: its question, a file for each finished trial, and the models that are still needed.

    DIR/study.json             the question
    DIR/trials/0007.json       a finished trial; it appears under its name when it is whole
    DIR/models/0007/           of the trial that runs, and of the best one: what `train` makes, and early.json

There is no data base that a kill could leave locked or half written: the search is rebuilt from these files. A killed
trial has no file. It is proposed again with the same settings, and its training resumes from its last state.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primeflow_core.errors import DataError, SettingError
from primeflow_core.models.kinds.ranges import Point, SettingRange
from primeflow_core.runtime.atomic_files import remove_partial, write_json
from primeflow_core.runtime.json_text import read_json, shortened
from primeflow_core.training.tuning.question import SearchSpec
from primeflow_core.training.tuning.trial import Trial, ranked

STUDY, TRIALS, MODELS, EARLY = "study.json", "trials", "models", "early.json"


@dataclass(frozen=True)
class TrialStore:
    """Trials of ``question`` in ``folder``."""

    folder: Path
    question: SearchSpec

    def open(self) -> None:
        """Start or resume the search. Raises SettingError if ``folder`` holds another search or something else."""
        path, asked = self.folder / STUDY, self.question.told()
        if path.is_file():
            self._check_same(_json(path, "Choose another folder."), asked)
        elif any(not found.name.startswith(".") for found in self.folder.iterdir()):
            raise SettingError(f"{self.folder} is not empty and holds no search. Choose another folder.")
        else:
            write_json(path, asked)
        for place in (self.folder, self.folder / TRIALS):
            remove_partial(place)
        self.tidy()

    def _check_same(self, there: Any, asked: dict[str, Any]) -> None:
        if different := _difference(there, asked):
            raise SettingError(
                f"{self.folder} holds another search; what differs: {different}. Go on with the command that it was "
                "started with, or choose another folder."
            )

    def model(self, number: int) -> Path:
        return self.folder / MODELS / f"{number:04d}"

    def keep(self, trial: Trial) -> None:
        write_json(self._file(trial.number), trial.to_json())
        self.tidy()

    def _file(self, number: int) -> Path:
        return self.folder / TRIALS / f"{number:04d}.json"

    def trials(self) -> tuple[Trial, ...]:
        """All finished trials. Raises DataError if one is damaged, or if an earlier one is missing."""
        count = sum(1 for _ in (self.folder / TRIALS).glob("[0-9]*.json"))
        return tuple(self._read(number) for number in range(count))

    def _read(self, number: int) -> Trial:
        path = self._file(number)
        mend = "Delete it and every later trial, and run the same command again."
        plain = _json(path, mend)
        try:
            found = Trial.from_json(plain)
            if found.number != number:
                raise DataError(f"number is {found.number}; it must be {number}, as in the name of the file")
            _check_point(found.point, self.question.space)
        except (DataError, ValueError) as error:
            raise DataError(f"{path} is damaged: {error}. {mend}") from error
        return found

    def ranked(self) -> list[Trial]:
        """The scored trials, the best first."""
        return ranked(self.trials(), larger_is_better=self.question.larger_is_better)

    def tidy(self) -> None:
        """Remove the models of finished trials but the best."""
        kept = [trial.number for trial in self.ranked()[:1]]
        for trial in self.trials():
            if trial.number not in kept and self.model(trial.number).is_dir():
                shutil.rmtree(self.model(trial.number))

    def early(self, number: int) -> tuple[float, ...]:
        """The scores of the running trial during training. If they cannot be read, the trial starts again."""
        path = self.model(number) / EARLY
        try:
            return tuple(map(float, read_json(path))) if path.is_file() else ()
        except (DataError, TypeError, ValueError):
            shutil.rmtree(self.model(number))
            return ()

    def keep_early(self, number: int, scores: tuple[float, ...]) -> None:
        write_json(self.model(number) / EARLY, list(scores))


def _check_point(point: Point, space: Mapping[str, SettingRange]) -> None:
    """Raises DataError for a point that does not lie in ``space``."""
    if missing := [name for name in space if name not in point]:
        raise DataError(f"the key point.{missing[0]} is missing")
    if strange := [name for name in point if name not in space]:
        raise DataError(f"it has the key point.{strange[0]}, which this search does not have")
    for name, place in point.items():
        if not space[name].has(place):
            raise DataError(f"point.{name} is {shortened(place)}; it must be {space[name].words}")


def _difference(there: Any, asked: Any) -> str:
    """The first key at which two pieces of plain data differ, such as ``settings: training: steps``; empty if they are
    equal."""
    if not isinstance(there, dict) or not isinstance(asked, dict):
        return "" if there == asked else "all of it"
    for name in {**asked, **there}:
        if inside := _difference(there.get(name), asked.get(name)):
            return name if inside == "all of it" else f"{name}: {inside}"
    return ""


def _json(path: Path, mend: str) -> Any:
    if not path.is_file():
        raise DataError(f"{path} is missing while later trials are there. Put it back, or delete those.")
    try:
        return read_json(path)
    except DataError as error:
        raise DataError(f"{path} is damaged: {error}. {mend}") from error
