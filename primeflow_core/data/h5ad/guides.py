"""Labels of single guides (``ZAP70_1``, ``sgZAP70-2``, ``ZAP70g1``, ``ZAP70_P1P2``) and the genes they aim at."""

import re
from collections.abc import Callable, Sequence

from primeflow_core.data.gene_names import symbols_of
from primeflow_core.data.h5ad.issues import Problem, Severity

_REPLOGLE = re.compile(r"(?:\d+_)?(?P<gene>[^_]+)_(?:P\d+)+(?:_ENSG\d+)?")
_NUMBERED = re.compile(
    r"(?:sg|g-)?(?P<gene>.*?[^\W_].*?)(?:_(?:sg|g|guide[_-]?|sgRNA[_-]?)?\d{1,5}|-(?:sg|g|guide)\d{1,5}|(?<=[A-Z0-9])g\d{1,2})"
)
_PREFIXED = re.compile(r"sg[-_]?(?P<gene>[A-Z][\w.]*?(?:-[A-Z][\w.]*?)?)(?:[-_.]\d{1,5})?")
_GENERIC = frozenset((
    "gene", "drug", "compound", "target", "guide", "sgrna", "grna", "perturbation", "pert", "cond", "condition",
    "treatment", "cluster", "sample", "cell", "group", "class", "donor", "patient", "batch", "day", "time", "cytokine",
    "stim", "dose", "plate", "well", "peptide", "molecule", "id", "label", "tf", "enhancer", "peak", "chr", "region",
))  # fmt: skip


def gene_of_guide(label: str) -> str:
    """The gene that a guide aims at; any other label as it is, and symbols such as NKX2-1 and GATA1 too."""
    for form in (_REPLOGLE, _PREFIXED, _NUMBERED):
        match = form.fullmatch(label)
        if match and match["gene"].casefold() not in _GENERIC:
            whole = label.removeprefix("sg").lstrip("-_")
            return whole if form is not _REPLOGLE and symbols_of(whole) else match["gene"]
    return label


def guides_seen(labels: Sequence[str], is_control: Callable[[str], bool]) -> list[Problem]:
    """A warning where several labels look like guides of one gene."""
    guides: dict[str, list[str]] = {}
    perturbed = [label for label in labels if not is_control(label)]
    for label in perturbed:
        guides.setdefault(gene_of_guide(label), []).append(label)
    several = {gene: found for gene, found in guides.items() if len(found) > 1}
    if not several or 2 * sum(map(len, several.values())) < len(perturbed):
        return []
    gene, found = next(iter(several.items()))
    text = (
        f"{', '.join(found[:3])} look like guides of one gene, {gene}; so do those of {len(several):,} "
        f"{'gene' if len(several) == 1 else 'genes'} in all. Each is read as a perturbation of its own."
    )
    return [Problem(Severity.WARNING, "guides", text, "Read them as their gene with --merge-guides.")]
