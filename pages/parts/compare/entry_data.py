"""The entries of a comparison, and what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from pages.parts.explore.answer_data import comparison_of
from pages.parts.explore.trust import trust_in
from pages.parts.shared.entries import Shown, cells_of
from primeflow_core.evaluation.differential import FEWEST_CELLS
from primeflow_core.figures.style import Group, Role
from primeflow_core.prediction.gene_expression import expression_table
from primeflow_core.prediction.group_differences import Contrast
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.report.condition_trust import ConditionTrust

GENES_EACH, MOST_GENES = 6, 30


@dataclass
class SharedMap:
    """Entries on one map: its axes, and the number, title and cells of each entry."""

    axes: tuple[str, str]
    numbers: list[int] = field(default_factory=list)
    entries: list[tuple[str, list[Group]]] = field(default_factory=list)

    @property
    def told(self) -> str:
        return "; ".join(f"{number} {title}" for number, (title, _) in zip(self.numbers, self.entries, strict=True))


@dataclass(frozen=True)
class Joint:
    """The entries of a comparison with what is known of each."""

    entries: Sequence[Shown]

    @property
    def key(self) -> str:
        """Names what is shown."""
        return "/".join("|".join(one.key) for one in self.entries)

    @property
    def simulated(self) -> bool:
        return self.entries[0].view.simulated

    @property
    def mixed(self) -> bool:
        return len({one.view.simulated for one in self.entries}) > 1

    @property
    def ready(self) -> list[Shown]:
        return [one for one in self.entries if one.answer is not None]

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """By name of the entry: predicted beside measured, for each entry that is ready and has a background."""
        return {one.name: found for one in self.ready if (found := comparison_of(one.view, one.answer)) is not None}

    @cached_property
    def trusts(self) -> dict[str, ConditionTrust]:
        """By name of the entry: the metrics of each whole response that was measured."""
        whole = [one for one in self.ready if not one.entry.outline]
        found = {one.name: trust_in(one.view, one.answer, self.comparisons.get(one.name)) for one in whole}
        return {name: trust for name, trust in found.items() if trust is not None}

    @cached_property
    def genes(self) -> list[str]:
        """The genes that change most in any entry, of those that all entries have."""
        shared = self.shared_genes
        found = [gene for each in self.comparisons.values() for gene in each.response.most_changed(GENES_EACH)["gene"]]
        return [gene for gene in dict.fromkeys(found) if gene in shared][:MOST_GENES]

    @cached_property
    def shared_genes(self) -> frozenset[str]:
        """Genes that all entries have."""
        first, *others = (frozenset(one.view.model.manifest.genes) for one in self.entries)
        return first.intersection(*others)

    def maps(self) -> list[SharedMap]:
        """One for each set of measured cells."""
        found: dict[tuple[str, ...], SharedMap] = {}
        for one in self.ready:
            if one.drawn is not None and one.placed:
                shared = found.setdefault((*one.view.place_key, one.drawn.name), SharedMap(one.drawn.fitted.axes))
                shared.numbers.append(one.number)
                shared.entries.append((one.entry.title, [Group(group.role, group.points) for group in one.placed]))
        return list(found.values())

    def table(self, genes: Sequence[str]) -> pd.DataFrame:
        """Expression of genes that all entries have, by entry and role; empty if no entry has perturbed cells."""
        if not genes:
            return pd.DataFrame()
        with_cells = [one for one in self.ready if one.columns]
        tables = [expression_table(one.view.model.manifest.genes, one.columns, genes) for one in with_cells]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def contrasts(self) -> list[Contrast]:
        """Each entry's cells against the control cells of its context."""
        found = []
        for one in self.ready:
            cells, controls = cells_of(one), one.view.controls_of(Role.PREDICTED)
            if controls is not None and min(len(cells), len(controls)) >= FEWEST_CELLS:
                found.append(Contrast(one.name, one.view.model.manifest.genes, cells, controls))
        return found
