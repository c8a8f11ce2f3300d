"""Finds the names of a model or file that a user means: any case, aliases, previous symbols, Ensembl ids."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from primeflow_core.data.gene_names import current_symbol, key_of, symbols_of

_BETWEEN = re.compile(r"[\s,;]+")
_QUOTES = "\"'`"


class FoundGenes(NamedTuple):
    """``matched`` as the data write them, ``unknown`` as they were typed; both in the order typed, each once."""

    matched: tuple[str, ...]
    unknown: tuple[str, ...]


class NameSearch:
    """Search in ``names``, which need not be genes. The table of gene names is read when a plain look-up fails."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        self._by_key = {key_of(name): name for name in reversed(names)}

    def find(self, typed: str) -> str | None:
        """The name meant: as written, else in another case, else the one name of the same gene."""
        typed = typed.strip()
        if typed in self._names:
            return typed
        if found := self._by_key.get(key_of(typed)):
            return found
        symbol = current_symbol(typed)
        return self._by_symbol.get(symbol) if symbol else None

    def suggestions(self, typed: str, most: int = 3) -> tuple[str, ...]:
        """Names that may be meant, best first: genes so called, names that begin so, names of similar spelling."""
        return tuple(dict.fromkeys(self._guesses(typed.strip(), most)))[:most]

    def _guesses(self, typed: str, most: int) -> Iterator[str]:
        for symbol in symbols_of(typed):
            if symbol in self._by_symbol:
                yield self._by_symbol[symbol]
        key = key_of(typed)
        if len(key) > 1:
            yield from (self._by_key[known] for known in sorted(self._by_key) if known.startswith(key))
        yield from (self._by_key[known] for known in difflib.get_close_matches(key, self._by_key, n=most))

    @cached_property
    def _by_symbol(self) -> dict[str, str]:
        """Names by the current symbol of their gene; of several names of one gene only its current symbol counts."""
        pairs = [(current_symbol(name), name) for name in self._by_key.values()]
        times = Counter(symbol for symbol, _ in pairs)
        return {
            symbol: name for symbol, name in pairs if symbol and (times[symbol] == 1 or key_of(name) == key_of(symbol))
        }


def found_genes(text: str, genes: Sequence[str]) -> FoundGenes:
    """Genes of a pasted list, separated by blanks, commas, semicolons or line ends, among ``genes``."""
    search = NameSearch(genes)
    typed = (name.strip(_QUOTES) for name in _BETWEEN.split(text))
    by_key = {key_of(name): name for name in reversed([name for name in typed if name])}
    found = [(name, search.find(name)) for name in reversed(by_key.values())]
    matched = tuple(dict.fromkeys(name for _, name in found if name is not None))
    return FoundGenes(matched, tuple(name for name, match in found if match is None))
