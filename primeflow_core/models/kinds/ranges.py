"""The ranges that a setting is searched in, free of the library that searches them."""

import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

Value = bool | int | float | str | tuple[int, ...]
Point = dict[str, "int | float | str"]
"""The position of each setting in its range, as the search uses it."""
CLOSE = 1e-8
"""Numbers this close on a grid are the same."""
DIGITS = 10
"""The decimal places of a value on a grid: 0.3 and not 0.30000000000000004."""


@dataclass(frozen=True)
class SettingRange(ABC):
    """The values that a setting may have."""

    @property
    @abstractmethod
    def words(self) -> str:
        """Its places for a sentence, for instance ``a number from 0.1 to 1``."""

    @abstractmethod
    def has(self, place: object) -> bool:
        """Whether ``place`` lies in the range."""

    @abstractmethod
    def place(self, value: Value) -> int | float | str:
        """The position of ``value``, moved into the range if it is outside."""

    @abstractmethod
    def value(self, place: Any) -> Value:
        """The setting at ``place``."""


@dataclass(frozen=True)
class Real(SettingRange):
    """``low`` to ``high``, on a grid of ``step`` from ``low`` if one is given; ``log``: evenly in the logarithm."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def words(self) -> str:
        grid = "" if self.step is None else f" in steps of {self.step:g}"
        return f"a number from {self.low:g} to {self.high:g}{grid}"

    def has(self, place: object) -> bool:
        if isinstance(place, bool) or not isinstance(place, int | float) or not self.low <= place <= self.high:
            return False
        return math.isclose(self.value(place), place, rel_tol=0.0, abs_tol=CLOSE)

    def place(self, value: Any) -> float:
        inside = min(max(float(value), self.low), self.high)
        return inside if self.step is None else self._on_grid(inside, self.step)

    def value(self, place: Any) -> float:
        return float(place) if self.step is None else self._on_grid(float(place), self.step)

    def _on_grid(self, inside: float, step: float) -> float:
        return round(self.low + round((inside - self.low) / step) * step, DIGITS)


@dataclass(frozen=True)
class Whole(SettingRange):
    """Whole numbers ``low`` to ``high``, both included; a ``log`` range has no ``step``."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    @property
    def words(self) -> str:
        grid = "" if self.step == 1 else f" in steps of {self.step}"
        return f"a whole number from {self.low} to {self.high}{grid}"

    def has(self, place: object) -> bool:
        if isinstance(place, bool) or not isinstance(place, int):
            return False
        return self.low <= place <= self.high and (place - self.low) % self.step == 0

    def place(self, value: Any) -> int:
        inside = min(max(value, self.low), self.high)
        return self.low + round((inside - self.low) / self.step) * self.step

    def value(self, place: Any) -> int:
        return int(place)


@dataclass(frozen=True)
class OptionRange(SettingRange):
    """One of some ``options``, searched by name, since not all of them are numbers."""

    options: tuple[Value, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(_name, self.options))

    @property
    def words(self) -> str:
        return f"one of {', '.join(json.dumps(name) for name in self.names)}"

    def has(self, place: object) -> bool:
        return isinstance(place, str) and place in self.names

    def place(self, value: Any) -> str:
        return _name(min(self.options, key=lambda option: _distance(option, value)))

    def value(self, place: Any) -> Value:
        return self.options[self.names.index(place)]


def _name(option: Value) -> str:
    return option if isinstance(option, str) else json.dumps(option)


def _distance(option: Value, value: Value) -> float:
    if option == value:
        return 0.0
    if isinstance(option, int | float) and isinstance(value, int | float):
        return abs(option - value)
    return float("inf")
