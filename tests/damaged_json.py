"""A JSON file damaged key by key, in each way that its reader must refuse with the product's own error."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from primeflow_core.errors import PrimeflowError

NESTED = "[" * 20_000
STRANGE = {"strange": [1]}
NOT_UTF8 = b"\xff\xfe{}"

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Damage:
    """``key``: what the error must name; empty if no key can be named."""

    how: str
    key: str
    content: bytes


def damages(
    plain: Mapping[str, Any],
    under: str,
    optional: Collection[str] = (),
    free: Collection[str] = (),
    without: Collection[str] = (),
) -> Iterator[Damage]:
    """Every damage of the key at the place ``under`` and of what is inside it; of lists, the first entry is damaged.

    Places of keys: ``optional`` ones may be missing; ``free`` ones are objects that may have any key; ``without`` are
    damaged in another test.
    """
    start = tuple(under.split("."))
    for path in _paths(_value(plain, start), start):
        if not any(_place(path[:end]) in without for end in range(1, len(path) + 1)):
            yield from _damages_at(plain, path, optional, free)


def _damages_at(
    plain: Mapping[str, Any], path: Path, optional: Collection[str], free: Collection[str]
) -> Iterator[Damage]:
    place, value = _place(path), _value(plain, path)
    if isinstance(path[-1], str):
        yield from _damages_of_key(plain, path, _place(path[:-1]) in free or place in optional)
    yield Damage(
        f"{place} of another type", str(path[-1]), _bytes(_with(plain, path, 7 if isinstance(value, str) else "x"))
    )
    yield Damage(f"{place} an object", place, _bytes(_with(plain, path, STRANGE)))
    yield Damage(f"{place} infinite", "Infinity", _bytes(_with(plain, path, [float("inf")])))
    if isinstance(value, dict) and place not in free:
        yield Damage(f"{place} with an unknown key", "colour", _bytes(_with(plain, (*path, "colour"), "red")))


def _damages_of_key(plain: Mapping[str, Any], path: Path, optional: bool) -> Iterator[Damage]:
    place, key, value = _place(path), str(path[-1]), json.dumps(_value(plain, path))
    marked = json.dumps(_with(plain, path, "HERE"))
    if not optional:
        yield Damage(f"{place} missing", key, _bytes(_without(plain, path)))
    twice = marked.replace(f'"{key}": "HERE"', f'"{key}": {value}, "{key}": {value}')
    yield Damage(f"{place} twice", key, twice.encode())
    yield Damage(f"{place} NaN", key, _bytes(_with(plain, path, float("nan"))))
    yield Damage(f"{place} nested", "nested", marked.replace('"HERE"', NESTED).encode())


def whole_file_damages(plain: Mapping[str, Any]) -> Iterator[Damage]:
    """What can be wrong with the file as a whole."""
    text = json.dumps(plain)
    yield Damage("not UTF-8", "UTF-8", NOT_UTF8)
    yield Damage("empty", "", b"")
    yield Damage("cut short", "", text[: len(text) // 2].encode())
    yield Damage("null", "", b"null")
    yield Damage("a number", "", b"1")
    yield Damage("a list", "", b"[]")
    yield Damage("no keys", "", b"{}")
    yield Damage("nested", "nested", NESTED.encode())
    yield Damage("nested objects", "nested", ('{"a":' * 20_000).encode())
    yield Damage("an unknown key", "colour", _bytes({**plain, "colour": "red"}))


def _paths(value: Any, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _paths(inside, (*path, key))
    if isinstance(value, list) and value:
        yield from _paths(value[0], (*path, 0))


def _place(path: Path) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def _value(plain: Any, path: Path) -> Any:
    for key in path:
        plain = plain[key]
    return plain


def _with(plain: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = deepcopy(dict(plain))
    _value(changed, path[:-1])[path[-1]] = value
    return changed


def _without(plain: Mapping[str, Any], path: Path) -> dict[str, Any]:
    changed = deepcopy(dict(plain))
    del _value(changed, path[:-1])[path[-1]]
    return changed


def _bytes(plain: Any) -> bytes:
    return json.dumps(plain).encode()


def check_refused(damage: Damage, read: Callable[[], object], error: type[PrimeflowError], *said: str) -> None:
    """The file is refused with ``error``, whose message has the damaged key and each of ``said``."""
    with pytest.raises(error) as refused:
        raise AssertionError(f"{damage.how}: read as {read()!r}")
    missing = [text for text in (damage.key, *said) if text not in str(refused.value)]
    assert not missing, f"{damage.how}: {missing} not in: {refused.value}"
