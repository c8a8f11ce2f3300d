"""What is no data file of any format here, named for what it is, with the one thing to do."""

import zlib
from collections.abc import Callable
from pathlib import Path

from primeflow_core.data.formats.hdf5_parts import groups

LFS = b"version https://git-lfs.github.com/spec/"
SERIALISED_R = (b"X\n\x00\x00\x00", b"A\n2\n", b"A\n3\n", b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n")
PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
HEAD = 4096


def refusal(path: Path, name: str) -> str:
    """Why this is not read, and what to do; empty where nothing here knows it."""
    if path.is_dir():
        return ""
    with path.open("rb") as file:
        head = file.read(HEAD)
    found = (say(head, path, name) for say in KINDS)
    return next((text for text in found if text), "")


def _empty(head: bytes, _: Path, name: str) -> str:
    return "" if head else f"{name} is an empty file (0 bytes). Copy or download it again."


def _lfs(head: bytes, _: Path, name: str) -> str:
    if not head.startswith(LFS):
        return ""
    return f"{name} is a Git LFS pointer, not the data. In its repository, run: git lfs pull"


def _r(head: bytes, _: Path, name: str) -> str:
    plain = _unpacked_head(head) if head.startswith(b"\x1f\x8b") else head
    if not plain.startswith(SERIALISED_R):
        return ""
    return f"{name} is a file of R. {_in_r('readRDS', name)}"


def _h5seurat(_: bytes, path: Path, name: str) -> str:
    if not {"assays", "meta.data", "cell.names"} <= set(groups(path)):
        return ""
    return f"{name} is a file of Seurat. {_in_r('SeuratDisk::LoadH5Seurat', name)}"


def _in_r(reader: str, name: str) -> str:
    """The line of R that writes it as an .h5ad."""
    read, written = f'{reader}("{name}")', f'"{name.rsplit(".", 1)[0]}.h5ad"'
    return f"In R: zellkonverter::writeH5AD(Seurat::as.SingleCellExperiment({read}), {written})"


def _unpacked_head(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(head, 64)
    except zlib.error:
        return b""


def _pickle(head: bytes, _: Path, name: str) -> str:
    if not head.startswith(PICKLES):
        return ""
    return (
        f"{name} is a Python pickle, which is never loaded: it may run any program. Where it was made, in Python: "
        f"adata.write_h5ad('{name.rsplit('.', 1)[0]}.h5ad')."
    )


def _web_page(head: bytes, _: Path, name: str) -> str:
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n").lower()
    if not text.startswith(("<!doctype html", "<html")):
        return ""
    return f"{name} is a web page, saved in place of the file. Open it in a browser to see what it says."


KINDS: tuple[Callable[[bytes, Path, str], str], ...] = (_empty, _lfs, _r, _h5seurat, _pickle, _web_page)
