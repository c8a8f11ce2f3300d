"""The current symbol of a human gene from an alias, a previous symbol or an Ensembl id, in any case.

``gene_names.tsv.gz`` holds the approved genes of the HUGO Gene Nomenclature Committee, a download not younger than
July 2024; HGNC data are public domain (CC0). Seal et al., Nucleic Acids Research 51, D1003 (2023), genenames.org.
``docs/make_gene_names.py`` makes the file.
"""

import gzip
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

NameKind = Literal["symbol", "ensembl", "versioned ensembl", "mouse", "foreign ensembl", "other"]
_HUMAN_ID = re.compile(r"(?:.+_)?ENSG\d{11}(?:\.\d+)?(?:_PAR_Y)?", re.IGNORECASE)
_MOUSE_SYMBOL = re.compile(r"[A-Z][a-z0-9.-]*[a-z][a-z0-9.-]*(?:-ps\d*)?|mt-[A-Z]\w*|H2-\w+|\d+[A-Z]\d+Rik|Gm\d+")
_ENSEMBL = re.compile(r"(?:.+_)?(ENS[A-Z]*G\d{11})(?:\.\d+)?", re.IGNORECASE)


def key_of(name: str) -> str:
    """A name in the form used for look-ups: case, surrounding blanks and the version of an Ensembl id do not count.

    Of ``PTPRC_ENSG00000081237``, as some files write a symbol that is not unique, the id is taken.
    """
    name = name.strip()
    ensembl = _ENSEMBL.fullmatch(name)
    return (ensembl[1] if ensembl else name).casefold()


def symbols_of(name: str) -> tuple[str, ...]:
    """Current symbols of every gene so called; a current symbol beats a previous one, a previous one an alias."""
    found = _table().symbols_by_key.get(key_of(name))
    return tuple(found.split("|")) if found else ()


def current_symbol(name: str) -> str | None:
    """The current symbol of the one gene so called; None where no gene is, or several are."""
    found = symbols_of(name)
    return found[0] if len(found) == 1 else None


def aliases_of(name: str) -> tuple[str, ...]:
    """Other symbols of a gene, its current one first, then aliases, then previous ones; empty for another name."""
    symbol = current_symbol(name)
    if symbol is None:
        return ()
    others = (symbol, *_table().others_by_symbol.get(symbol, "").split("|"))
    return tuple(other for other in others if other and key_of(other) != key_of(name))


def kind_of_names(names: Collection[str]) -> NameKind:
    """The kind of at least half of the names.

    ``ensembl`` and ``versioned ensembl`` ids are of human genes, ``foreign ensembl`` ids of other species; ``symbol``
    of any time and in any case, but ``mouse`` where symbols are written as those of mouse and rat genes are: ``Actb``.
    """
    stripped = [name.strip() for name in names]
    ensembl = [name for name in stripped if _ENSEMBL.fullmatch(name) or _HUMAN_ID.fullmatch(name)]
    if names and 2 * len(ensembl) >= len(names):
        human = sum(_HUMAN_ID.fullmatch(name) is not None for name in ensembl)
        if 2 * human < len(ensembl):
            return "foreign ensembl"
        return "versioned ensembl" if 2 * sum("." in name for name in ensembl) > len(ensembl) else "ensembl"
    if names and 2 * sum(_MOUSE_SYMBOL.fullmatch(name) is not None for name in stripped) >= len(names):
        return "mouse"
    symbols = sum(bool(symbols_of(name)) for name in names)
    return "symbol" if names and 2 * symbols >= len(names) else "other"


OTHER_SPECIES: tuple[NameKind, ...] = ("mouse", "foreign ensembl")
"""Kinds of names of genes that are not human: none of them stands for a human gene."""


@dataclass(frozen=True)
class _Table:
    """Several names in one text have ``|`` between them: tens of thousands of tuples would take more memory."""

    symbols_by_key: dict[str, str]
    others_by_symbol: dict[str, str]


@lru_cache(maxsize=1)
def _table() -> _Table:
    packed = files("primeflow_core.data").joinpath("gene_names.tsv.gz").read_bytes()
    genes = [line.split("\t") for line in gzip.decompress(packed).decode().splitlines()]
    symbols_by_key = {symbol.casefold(): symbol for symbol, *_ in genes}
    for column in (2, 1):
        called: dict[str, list[str]] = {}
        for gene in genes:
            for key in {name.casefold() for name in gene[column].split("|") if name}:
                called.setdefault(key, []).append(gene[0])
        for key, symbols in called.items():
            symbols_by_key.setdefault(key, symbols[0] if len(symbols) == 1 else "|".join(symbols))
    symbols_by_key.update((f"ensg{number:0>11}", symbol) for symbol, _, _, number in genes if number)
    others = {symbol: "|".join(filter(None, names)) for symbol, *names, _ in genes}
    return _Table(symbols_by_key, {symbol: names for symbol, names in others.items() if names})
