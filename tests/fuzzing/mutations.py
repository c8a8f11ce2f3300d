"""Damage to files, drawn from a seed: bytes, text, the structure of HDF5, and the files of a Zarr store."""

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

MAGIC = (
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x7f\xff\xff\xff",
    b"\x80",
    b"\xef\xbb\xbf",
    b"\x1f\x8b",
    b"\x89HDF",
)
ODD_TEXT = (
    "NaN", "-1", "1e400", "0.1.2", "null", "true", '""', "[]", "{}", "[" * 2_000, "9" * 5_000, "\x00", "\ud83d",
    "../..",
    '"', "'", ";", ",", "\t", "\r", "\n", "\u202e", "<script>", "=1+1", "%s", "\u00e9" * 300,
)  # fmt: skip


def damaged_bytes(content: bytes, draw: random.Random) -> bytes:
    """One to three of: bytes changed, set to zero, cut, left out, doubled, swapped, put in between."""
    found = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        draw.choice(BYTE_CHANGES)(found, draw)
    return bytes(found)


def changed_bytes(content: bytes, draw: random.Random) -> bytes:
    """As ``damaged_bytes``, of the same length, so that more of the structure of a file stays."""
    found = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        draw.choice((_flip, _zero, _swap))(found, draw)
    return bytes(found)


def _flip(found: bytearray, draw: random.Random) -> None:
    for _ in range(draw.randint(1, 12)):
        if found:
            found[draw.randrange(len(found))] = draw.randrange(256)


def _zero(found: bytearray, draw: random.Random) -> None:
    start, end = _range(found, draw)
    found[start:end] = bytes(end - start)


def _cut(found: bytearray, draw: random.Random) -> None:
    del found[draw.randint(0, len(found)) :]


def _leave_out(found: bytearray, draw: random.Random) -> None:
    start, end = _range(found, draw)
    del found[start:end]


def _double(found: bytearray, draw: random.Random) -> None:
    start, end = _range(found, draw)
    found[end:end] = found[start:end]


def _swap(found: bytearray, draw: random.Random) -> None:
    start, end = _range(found, draw)
    found[start:end] = bytes(reversed(found[start:end]))


def _put_in(found: bytearray, draw: random.Random) -> None:
    at = draw.randint(0, len(found))
    found[at:at] = draw.choice(MAGIC)


def _range(found: bytearray, draw: random.Random) -> tuple[int, int]:
    start = draw.randint(0, len(found))
    return start, min(len(found), start + draw.randint(1, 256))


BYTE_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _zero, _cut, _leave_out, _double, _swap, _put_in,
)  # fmt: skip


def damaged_text(content: bytes, draw: random.Random) -> bytes:
    """A word or number replaced, a line left out or doubled, a mark put in between; else ``damaged_bytes``."""
    if draw.random() < 0.3:
        return damaged_bytes(content, draw)
    text = content.decode("utf-8")
    for _ in range(draw.randint(1, 3)):
        words = list(re.finditer(r'[\w.+-]+|"[^"]*"', text))
        if not words:
            break
        word, kind = draw.choice(words), draw.randrange(4)
        if kind == 0:
            text = text[: word.start()] + draw.choice(ODD_TEXT) + text[word.end() :]
        elif kind == 1:
            text = text[: word.start()] + text[word.end() :]
        elif kind == 2:
            text = text[: word.start()] + draw.choice(ODD_TEXT) + text[word.start() :]
        else:
            lines = text.splitlines(keepends=True)
            lines.insert(draw.randrange(len(lines)), lines[draw.randrange(len(lines))])
            text = "".join(lines)
    return text.encode("utf-8", errors="surrogatepass")


def damage_structure(path: Path, draw: random.Random) -> None:
    """Change one or two elements of an HDF5 file in place: missing, of another kind, shape or encoding, in a circle."""
    with h5py.File(path, "r+") as file:
        for _ in range(draw.randint(1, 2)):
            names: list[str] = []
            file.visit(names.append)
            if names:
                draw.choice(STRUCTURE_CHANGES)(file, draw.choice(sorted(names)), draw)


def _delete(file: h5py.File, name: str, draw: random.Random) -> None:
    del file[name]


def _other_kind(file: h5py.File, name: str, draw: random.Random) -> None:
    del file[name]
    file[name] = draw.choice((np.float64(3), b"text", np.zeros((2, 3, 4)), np.array([b"a", b"b"]), np.zeros(0)))


def _group_instead(file: h5py.File, name: str, draw: random.Random) -> None:
    del file[name]
    file.create_group(name)


def _other_attribute(file: h5py.File, name: str, draw: random.Random) -> None:
    attributes = sorted(file[name].attrs)
    odd = ("csr_matrix", "dataframe", "null", "nonsense", 7, np.array([2**40, 2**40]), np.array([-1, 5]), "")
    key = draw.choice(attributes) if attributes else "encoding-type"
    file[name].attrs[key] = draw.choice(odd)


def _other_numbers(file: h5py.File, name: str, draw: random.Random) -> None:
    item = file[name]
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iuf" or not item.size or item.ndim != 1:
        return
    values = item[:]
    whole = np.iinfo(item.dtype) if item.dtype.kind in "iu" else None
    odd = (whole.min, whole.max, 0, min(len(values), whole.max)) if whole else (np.nan, np.inf, -1e38, 1e38)
    values[draw.randrange(len(values)) :][: draw.randint(1, 9)] = draw.choice(odd)
    item[:] = values


def _other_length(file: h5py.File, name: str, draw: random.Random) -> None:
    item = file[name]
    if not isinstance(item, h5py.Dataset) or item.ndim != 1:
        return
    values, attributes = item[:], dict(item.attrs)
    del file[name]
    file[name] = values[: draw.randrange(len(values) + 1)]
    file[name].attrs.update(attributes)


def _circle(file: h5py.File, name: str, draw: random.Random) -> None:
    del file[name]
    file[name] = draw.choice((h5py.SoftLink("/obs"), h5py.SoftLink("/nowhere"), h5py.SoftLink(f"/{name}")))


def _round_trip(file: h5py.File, name: str, draw: random.Random) -> None:
    if isinstance(file[name], h5py.Group):
        file[f"{name}/again"] = file["/"]


def _swollen(file: h5py.File, name: str, draw: random.Random) -> None:
    """A few bytes that unpack to gigabytes."""
    del file[name]
    file.create_dataset(name, shape=(2**20, 2**12), dtype="f4", chunks=(2**10, 2**10), compression="gzip")


STRUCTURE_CHANGES: tuple[Callable[[h5py.File, str, random.Random], None], ...] = (
    _delete, _other_kind, _group_instead, _other_attribute, _other_numbers, _other_length, _circle, _round_trip,
    _swollen,
)  # fmt: skip


METADATA = (".zgroup", ".zarray", ".zattrs", ".zmetadata", "zarr.json")
ODD_JSON: tuple[Any, ...] = (
    None, True, -1, 0, 3, 2**40, 2**70, 1e400, "", "nonsense", "dataframe", "csr_matrix", "<f4", "|O", "float32", [],
    {}, [2**40, 2**12], [0, 0], [-1], [1] * 5, {"name": "nonsense"}, [{"name": "gzip", "configuration": {"level": 99}}],
)  # fmt: skip


def damage_store(path: Path, draw: random.Random) -> None:
    """Change one or two files of a Zarr store in place: a chunk, what describes an array, or a whole part of it."""
    for _ in range(draw.randint(1, 2)):
        files = sorted(file for file in path.rglob("*") if file.is_file())
        described = [file for file in files if file.name in METADATA]
        chunks = [file for file in files if file.name not in METADATA]
        kind = draw.choice(("chunk", "chunk", "metadata", "metadata", "metadata", "part"))
        if kind == "chunk" and chunks:
            _damage_chunk(draw.choice(chunks), draw)
        elif kind == "metadata" and described:
            _damage_metadata(draw.choice(described), draw)
        elif files:
            _damage_part(path, draw.choice(files), draw)


def _damage_chunk(chunk: Path, draw: random.Random) -> None:
    content = chunk.read_bytes()
    kind = draw.randrange(4)
    if kind == 0:
        chunk.unlink()
    elif kind == 1:
        chunk.write_bytes(content[: draw.randrange(len(content) + 1)])
    else:
        chunk.write_bytes((changed_bytes if kind == 2 else damaged_bytes)(content, draw))


def _damage_metadata(file: Path, draw: random.Random) -> None:
    """As text, or one value of it, wherever it stands, by another."""
    if draw.random() < 0.3:
        file.write_bytes(damaged_text(file.read_bytes(), draw))
        return
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # damaged before
        return
    places = list(_places(described))
    if places:
        holder, key = draw.choice(places)
        if draw.random() < 0.25:
            del holder[key]
        else:
            holder[key] = draw.choice(ODD_JSON)
    file.write_text(json.dumps(described), encoding="utf-8")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a JSON value: what holds it, and its key there."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, each in inside for place in ((value, key), *_places(each))]


def _damage_part(store: Path, file: Path, draw: random.Random) -> None:
    """A part is missing, is empty, is another part, or is a file where a folder was."""
    part = draw.choice([file, *(parent for parent in file.parents if parent.is_relative_to(store) and parent != store)])
    other = draw.choice(sorted(each for each in store.rglob("*") if each.is_dir() and not each.is_relative_to(part)))
    _remove(part)
    kind = draw.randrange(4)
    if kind == 1:
        part.mkdir()
    elif kind == 2 and not part.is_relative_to(other):
        shutil.copytree(other, part)
    elif kind == 3:
        part.write_bytes(b"text")


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink()
