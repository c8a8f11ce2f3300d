"""Perturbations in the words of a biologist: genes are switched up or down, drugs are given."""

from collections.abc import Mapping
from itertools import groupby

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation

UP, DOWN, OUT, DRUG, OTHER = "switching up", "switching down", "knocking out", "treating with", "perturbing"
_PAST = {UP: "switched up", DOWN: "switched down", OUT: "knocked out", DRUG: "given", OTHER: "perturbed"}
_SIGNS = (
    (UP, ("crispra", "switch up", "activation", "overexpression")),
    (DOWN, ("crispri", "switch down", "knockdown", "knock-down", "interference")),
    (OUT, ("knockout", "knock-out", "knock out", "cas9")),
    (DRUG, ("drug", "compound", "molecule", "chemical")),
)


def action_of(kind: str) -> str:
    """The kind of perturbation as a data set names it (CRISPRa, simulated drug, ...) as a verb; OTHER if unknown."""
    lowered = kind.lower()
    return next((action for action, signs in _SIGNS if any(sign in lowered for sign in signs)), OTHER)


def actions(cells: Cells | None, covariates: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """How each perturbation measured in this context was made, by name; empty if the data do not say.

    What a perturbation does is read from where it was measured alone, else from its combinations.
    """
    if cells is None or not cells.kinds:
        return {}
    here = [pair for pair in zip(cells.conditions, cells.kinds, strict=True) if pair[0].covariates == covariates]
    found: dict[str, str] = {}
    for condition, kind in sorted(here, key=lambda pair: len(pair[0].perturbations)):
        for part in condition.perturbations:
            found.setdefault(part.name, action_of(kind))
    return found


def kind_of(cells: Cells | None, condition: Condition) -> str:
    """The kinds of perturbation in a condition, as its data set names them; empty where the data do not say."""
    if cells is None or not cells.kinds:
        return ""
    known = dict(zip(cells.conditions, cells.kinds, strict=True))
    kinds = [known[condition]] if condition in known else [known[part] for part in condition.parts if part in known]
    return " and ".join(dict.fromkeys(kinds))


def done_elsewhere(cells: Cells | None, condition: Condition) -> tuple[str, ...]:
    """One sentence for each part that was not measured in this context and was treated otherwise in another one."""
    if cells is None:
        return ()
    here = actions(cells, condition.covariates)
    usual = sorted(set(here.values()))
    sentences = []
    for part in condition.perturbations:
        for other in dict.fromkeys(known.covariates for known in cells.conditions):
            action = actions(cells, other).get(part.name, OTHER)
            if part.name not in here and usual and action != OTHER and action not in usual:
                sentences.append(
                    f"{part.name} was {_PAST[action]} in {Condition((), other).context}. In {condition.context} the "
                    f"model only knows {_listed(usual)}."
                )
                break
    return tuple(sentences)


def described(condition: Condition, action_by_name: Mapping[str, str]) -> str:
    """For instance ``switching up KLF1 and MAP2K6`` or ``treating with drug_03 at dose 10``."""
    if condition.is_control:
        return "no perturbation"
    done = [(action_by_name.get(part.name, OTHER), _named(part)) for part in condition.perturbations]
    ordered = sorted(done, key=lambda pair: pair[0] == DRUG)
    phrases = [f"{action} {_listed([name for _, name in group])}" for action, group in groupby(ordered, lambda p: p[0])]
    return _listed(phrases)


def _named(part: Perturbation) -> str:
    return part.name if part.dose is None else f"{part.name} at dose {part.dose:g}"


def _listed(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
