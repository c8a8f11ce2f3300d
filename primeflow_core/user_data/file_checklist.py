"""The checklist of a user's file: what must be fixed before a model can use its cells, one row per question."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.data.data_file import DataFile
from primeflow_core.data.gene_matching import LEAST_SHARE, GeneMatch, gene_columns, match_genes
from primeflow_core.data.h5ad.fixes import repaired_wishes
from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.data.h5ad.obs_columns import COVARIATE_COLUMNS, condition_column
from primeflow_core.data.h5ad.obs_values import column
from primeflow_core.data.h5ad.reading import Examined, Inspection, examine
from primeflow_core.data.h5ad.scale import Scale
from primeflow_core.data.h5ad.storage import shown_matrix
from primeflow_core.data.repair import X
from primeflow_core.errors import DataError
from primeflow_core.evaluation.defaults import FEWEST
from primeflow_core.model_store.available_conditions import Catalogue, Covariates
from primeflow_core.model_store.condition_matching import ConditionMatch, MatchedCondition, context_called
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.user_data.checklist_row import CheckMark, Mend, Row
from primeflow_core.user_data.uploads import BroughtFile, check, matrices_of, speaking_of
from primeflow_core.user_data.user_cells import Fixes

FEWEST_CONTROLS = 2 * FEWEST
MOST_CONTEXTS = 12
MOST_LABELS = 2_000
_KINDS = {
    "ensembl": "your names look like Ensembl ids",
    "versioned ensembl": "your names look like Ensembl ids with versions",
    "symbol": "your names look like symbols",
    "mouse": "these look like mouse genes",
    "foreign ensembl": "these look like Ensembl ids of another species than human",
}
_SUBJECTS = {
    "set-aside": "Perturbations", "separator": "Perturbations", "guides": "Perturbations", "few-cells": "Perturbations",
    "repeated-parts": "Perturbations", "mixed-kinds": "Perturbations", "two-columns": "Perturbations",
    "unlike-units": "Perturbations", "dose-without-unit": "Perturbations", "joined-controls": "Control",
    "pooled-labels": "Perturbations", "numbered-genes": "Genes", "log-of-counts": "Values",
    "several-controls": "Control", "unsure-control": "Control", "control-not-there": "Control",
    "control-in-label": "Control", "spellings": "Perturbations",
    "context-without-control": "Context", "normalised-already": "Values", "log2": "Values", "scaled": "Values",
    "scale-unclear": "Values",
}  # fmt: skip
"""The row that each warning about a file belongs to."""
_VALUES = ("not-a-number", "all-zero", "scaled", "normalised-already", "counts", "linear")
_CONDITIONS = (
    "unknown-column",
    "no-condition",
    "one-condition",
    "missing-value",
    "condition",
    "dose",
    "no-control-cells",
)


@dataclass(frozen=True)
class Checklist:
    """The rows, and what there is to choose from.

    ``gene_columns``: model genes that each var column names (None: the index). ``labels``: of the condition column.
    ``contexts``: those of the file; ``stands_for``: the model's covariates of those that are used. ``matrices``: where
    the file has values.
    """

    rows: tuple[Row, ...]
    inspection: Inspection | None = None
    gene_columns: Mapping[str | None, int] | None = None
    labels: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    stands_for: tuple[tuple[str, Covariates], ...] = ()
    conditions: tuple[MatchedCondition, ...] = ()
    simulated: bool = False
    matrices: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the controls can be used as the cells to start from."""
        return all(row.mark is not CheckMark.BAD for row in self.rows)

    @property
    def trainable(self) -> bool:
        """Whether a model could learn from the cells, whatever they are to the model they were checked against."""
        wrong = {row.subject for row in self.rows if row.mark is CheckMark.BAD}
        perturbed = self.inspection is not None and self.inspection.conditions > 0
        return perturbed and wrong <= {"Origin", "Genes", "Context"}

    @property
    def known(self) -> tuple[MatchedCondition, ...]:
        """Perturbed conditions that the model knows and that have cells enough to be compared with."""
        return tuple(c for c in self.conditions if c.meant and not c.meant.is_control and c.cells >= FEWEST)


def checklist(brought: BroughtFile, fixes: Fixes, manifest: Manifest) -> Checklist:
    """Look at a file with what its owner said of it. Nothing is raised for the file: a row says what is wrong."""
    try:
        check(brought.path, brought.name)
        with speaking_of(brought.path, brought.name):
            examined = examine(brought.path, fixes.wishes, fixes.repair)
            simulated = DataFile(brought.path, None).simulated_as(fixes.repair)
    except DataError as error:
        return _unread(brought, fixes, str(error))
    return _Reading(examined, fixes, manifest, simulated).checklist()


def _unread(brought: BroughtFile, fixes: Fixes, reason: str) -> Checklist:
    """What is wrong with a file that cannot be described; where it only has its values elsewhere, which there are."""
    try:
        found = matrices_of(brought.path)
    except DataError:
        found = ()
    if not found or fixes.repair.matrix in found:
        return Checklist((Row("Readable", CheckMark.BAD, reason),))
    text = f"The file has no {fixes.repair.matrix}. Which of its other values are counts or log-normalised?"
    return Checklist((Row("Values", CheckMark.BAD, text, (Mend.MATRIX,)),), matrices=found)


class _Reading:
    """A readable file beside a model."""

    def __init__(self, examined: Examined, fixes: Fixes, manifest: Manifest, simulated: bool) -> None:
        self.examined = examined
        self.found = examined.inspection
        self.fixes = fixes
        self.manifest = manifest
        self.simulated = simulated
        self.problems = {problem.code: problem for problem in reversed(self.found.problems)}

    def checklist(self) -> Checklist:
        columns = gene_columns(self.examined.var, self.manifest.genes)
        chosen, without = self._contexts()
        match = ConditionMatch(self.manifest, {name: chosen[name] for name in chosen if name not in without})
        conditions = match.described(*self._counted())
        rows = [
            self._size(), *self._origin(), self._genes(columns), *self._names(), self._values(), self._perturbations(),
            *self._control_and_context(chosen, without, conditions),
        ]  # fmt: skip
        return Checklist(
            tuple(self._warned(rows)), self.found, columns, self._labels(), self.found.contexts,
            tuple((name, chosen[name]) for name in chosen if name not in without), conditions, self.simulated,
            self.found.matrices,
        )  # fmt: skip

    def _warned(self, rows: list[Row]) -> list[Row]:
        """The rows with the warnings of the inspection: each joins its row, or stands by itself where that is bad."""
        warnings = [problem for problem in self.found.problems if problem.severity is Severity.WARNING]
        for problem in warnings:
            subject = _SUBJECTS.get(problem.code, "Readable")
            at = next((i for i, row in enumerate(rows) if row.subject == subject), None)
            if at is None or rows[at].mark is CheckMark.BAD:
                rows.append(Row(subject, CheckMark.DOUBT, f"{problem.text} {_on_page(problem)}".strip()))
            else:
                text = f"{rows[at].text} {problem.text} {_on_page(problem)}".strip()
                rows[at] = replace(rows[at], mark=CheckMark.DOUBT, text=text)
        return rows

    def _size(self) -> Row:
        found = self.found
        megabytes = max(found.size / 1e6, 0.1)
        return Row(
            "Readable", CheckMark.GOOD,
            f"An AnnData file of {found.cells:,} cells and {found.genes:,} genes, {megabytes:,.1f} MB.",
        )  # fmt: skip

    def _origin(self) -> list[Row]:
        if self.simulated == self.manifest.simulated:
            return []
        if self.simulated:
            text = (
                "Your cells are simulated, the model learned from measured ones: they are no truth for it and nothing "
                "that it could start from. Choose a model of simulated cells."
            )
        else:
            text = (
                "The model learned from simulated cells and your file does not say that its cells are: it knows "
                "nothing of measured cells. Choose a model of measured cells."
            )
        return [Row("Origin", CheckMark.BAD, text)]

    def _genes(self, columns: Mapping[str | None, int]) -> Row:
        match = match_genes(self.examined.genes, self.manifest.genes)
        asked, count = len(match.columns), f"{match.found:,} of {len(match.columns):,} model genes are in your file"
        better = max(columns.values()) > match.found
        if not match.enough:
            return Row("Genes", CheckMark.BAD, f"{count}{self._looks(match)}. {_remedy(better)}", _if(better))
        mends = _if(better or self.fixes.repair.gene_column is not None)
        other = f", {match.translated:,} of them under another name or as an Ensembl id" if match.translated else ""
        if match.found < asked:
            lacking = f" The other {asked - match.found:,} count as 0: do not read them as a change."
            return Row("Genes", CheckMark.DOUBT, f"{count}{other}.{lacking}", mends)
        return Row("Genes", CheckMark.GOOD, f"{count}{other}.", mends)

    def _looks(self, match: GeneMatch) -> str:
        return f" ({_KINDS[match.kind]})" if match.kind in _KINDS else ""

    def _names(self) -> list[Row]:
        repeated = [self.problems[code] for code in ("repeated-genes", "repeated-cells") if code in self.problems]
        if repeated:
            text = " ".join(problem.text for problem in repeated)
            return [
                Row(
                    "Names",
                    CheckMark.BAD,
                    f"{text} Use the first of each gene, and number the cells?",
                    (Mend.DISTINCT,),
                )
            ]
        if self.fixes.repair.distinct:
            return [
                Row("Names", CheckMark.DOUBT, "Of genes of one name the first is used; cells of one name are numbered.")
            ]
        return []

    def _values(self) -> Row:
        wrong = {code: problem for code, problem in self.problems.items() if problem.severity is Severity.ERROR}
        problem = next((wrong[code] for code in _VALUES if code in wrong), None)
        if problem is not None and problem.code == "linear":
            return Row("Values", CheckMark.BAD, f"{problem.text} Normalise now?", (Mend.NORMALISE,))
        elsewhere = (Mend.MATRIX,) if len(self.found.matrices) > 1 else ()
        if problem is not None and problem.code == "scaled":
            other = " Or read other values of the file?" if elsewhere else ""
            return Row(
                "Values", CheckMark.BAD, f"{problem.text} Upload them as they were before scaling.{other}", elsewhere
            )
        if problem is not None:
            return Row("Values", CheckMark.BAD, f"{problem.text} {problem.remedy}", elsewhere)
        read = "" if self.found.matrix == X else f", read from {shown_matrix(self.found.matrix)}"
        if self.fixes.repair.normalise or self.found.scale is Scale.COUNTS:
            was = "Counts" if self.found.scale is Scale.COUNTS else "Values"
            return Row(
                "Values",
                CheckMark.GOOD,
                f"{was}{read}, converted to the log scale: log1p at the median total of your cells.",
                elsewhere,
            )
        return Row("Values", CheckMark.GOOD, f"Log-normalised{read}, up to {self.found.highest:.2f}.", elsewhere)

    def _perturbations(self) -> Row:
        wrong = next((self.problems[code] for code in _CONDITIONS if code in self.problems), None)
        if wrong is not None:
            return _no_perturbations(wrong)
        if self.fixes.repair.untreated:
            return Row("Perturbations", CheckMark.GOOD, "You say that no cell was treated.", (Mend.UNTREATED,))
        if self.found.layout is None:
            return Row(
                "Perturbations", CheckMark.GOOD, f"Read from column {self._condition_column()!r}.", (Mend.CONDITION,)
            )
        layout, number = self.found.layout, self.found.conditions
        pairs = len(self.found.combinations)
        joined = f"{pairs:,} combinations joined by {layout.separator!r}" if pairs else "no combinations"
        text = f"{number:,} {_plural('condition', number)} in column {layout.condition!r}, {joined}."
        return Row("Perturbations", CheckMark.GOOD, text, (Mend.CONDITION, Mend.SEPARATOR))

    def _control_and_context(
        self, chosen: Mapping[str, Covariates], without: tuple[str, ...], conditions: tuple[MatchedCondition, ...]
    ) -> list[Row]:
        if "no-control" in self.problems:
            text = self.problems["no-control"].text
            return [
                Row(
                    "Control",
                    CheckMark.BAD,
                    f"{text} Without control cells the file cannot be used. Which cells are unperturbed?",
                    (Mend.CONTROL, Mend.UNTREATED),
                )
            ]
        if self.found.layout is None or self.examined.table is None:
            return []
        control = f"{self.found.control_cells:,} cells labelled {self.found.layout.control!r}"
        rows = [Row("Control", CheckMark.GOOD, f"{control}.", () if self.fixes.repair.untreated else (Mend.CONTROL,))]
        if self.found.control_cells < FEWEST_CONTROLS:
            text = f"{control}; {FEWEST_CONTROLS} are the fewest. Are they labelled otherwise?"
            return [Row("Control", CheckMark.BAD, text, (Mend.CONTROL,))]
        rows.append(self._context(chosen, without))
        if rows[-1].mark is not CheckMark.BAD and not self.fixes.repair.untreated:
            rows.append(_known(conditions))
        return rows

    def _context(self, chosen: Mapping[str, Covariates], without: tuple[str, ...]) -> Row:
        number = len(self.found.contexts)
        mends = (Mend.CONTEXTS, Mend.COVARIATES)
        if number > MOST_CONTEXTS:
            text = f"Your columns tell {number:,} contexts apart; {MOST_CONTEXTS} is the most. Choose fewer columns."
            return Row("Context", CheckMark.BAD, text, (Mend.COVARIATES,))
        used = [name for name in chosen if name not in without]
        few = f" Too few control cells, left out: {_some(without)}." if without else ""
        if not used:
            return Row("Context", CheckMark.BAD, f"Which of the model's cells are yours?{few}", mends)
        meant = "; ".join(f"{name or 'all cells'} as {_text(chosen[name]) or 'the model’s cells'}" for name in used)
        left = [name for name in self.found.contexts if name not in chosen]
        told = f" Left out: {_some(tuple(left))}." if left else ""
        return Row("Context", CheckMark.DOUBT if few or left else CheckMark.GOOD, f"Used: {meant}.{told}{few}", mends)

    def _contexts(self) -> tuple[dict[str, Covariates], tuple[str, ...]]:
        """The model's covariates by context of the file, and which of these contexts have too few controls."""
        known = {_text(covariates): covariates for covariates in Catalogue(self.manifest).contexts()}
        said = dict(self.fixes.contexts)
        stated = self._stated()
        chosen: dict[str, Covariates] = {}
        for name in self.found.contexts[:MOST_CONTEXTS]:
            meant = said[name] if name in said else context_called((name, *name.split(" · "), *stated), tuple(known))
            if meant in known and meant is not None:
                chosen[name] = known[meant]
        controls = {c.context: n for c, n in zip(*self._counted(), strict=True) if c.is_control}
        pooled: dict[Covariates, int] = {}
        for name, covariates in chosen.items():
            pooled[covariates] = pooled.get(covariates, 0) + controls.get(name, 0)
        return chosen, tuple(name for name, covariates in chosen.items() if pooled[covariates] < FEWEST_CONTROLS)

    def _stated(self) -> tuple[str, ...]:
        """Values that the file gives for all its cells alike, such as their cell line."""
        columns = {name.casefold() for name, _ in self.manifest.vocabulary.covariates} | set(COVARIATE_COLUMNS)
        usual = [column(self.examined.obs, name) for name in self.found.obs_columns if name.casefold() in columns]
        return tuple(found.values[0] for found in usual if len(found.values) == 1)

    def _counted(self) -> tuple[tuple[Condition, ...], tuple[int, ...]]:
        table = self.examined.table
        if table is None:
            return (), ()
        return table.conditions, tuple(np.bincount(table.condition_of, minlength=len(table.conditions)).tolist())

    def _condition_column(self) -> str | None:
        if "unknown-column" in self.problems:
            return None
        return condition_column(self.examined.obs, repaired_wishes(self.fixes.wishes, self.fixes.repair), {})

    def _labels(self) -> tuple[str, ...]:
        name = self._condition_column()
        return () if name is None else column(self.examined.obs, name).values[:MOST_LABELS]


def _on_page(problem: Problem) -> str:
    """The remedy, unless it names an option of the command line."""
    return "" if "--" in problem.remedy else problem.remedy


def _no_perturbations(wrong: Problem) -> Row:
    if wrong.code == "one-condition":
        text = f"{wrong.text} They can still be the cells you start from."
        return Row("Perturbations", CheckMark.BAD, text, (Mend.UNTREATED, Mend.CONDITION))
    if wrong.code == "no-condition":
        return Row("Perturbations", CheckMark.BAD, f"{wrong.text} Which one does?", (Mend.CONDITION, Mend.UNTREATED))
    if wrong.code == "dose":
        return Row("Perturbations", CheckMark.BAD, f"{wrong.text} Leave the doses out?", (Mend.NO_DOSE,))
    remedy = wrong.remedy if wrong.code == "missing-value" else "Choose another column, or fix it in your file."
    return Row(
        "Perturbations", CheckMark.BAD, f"{wrong.text} {remedy}", (Mend.CONDITION, Mend.SEPARATOR, Mend.COVARIATES)
    )


def _known(conditions: tuple[MatchedCondition, ...]) -> Row:
    perturbed = [entry for entry in conditions if not entry.condition.is_control]
    known = [entry for entry in perturbed if entry.meant is not None]
    enough = [entry for entry in known if entry.cells >= FEWEST]
    text = f"The model knows {len(known):,} of your {len(perturbed):,} perturbed {_plural('condition', len(perturbed))}"
    if not enough:
        return Row(
            "Known", CheckMark.DOUBT, f"{text}: nothing to compare, but your controls can be the cells you start from."
        )
    few = f"; {len(known) - len(enough):,} with fewer than {FEWEST} cells" if len(enough) < len(known) else ""
    return Row(
        "Known", CheckMark.GOOD if len(known) == len(perturbed) and not few else CheckMark.DOUBT, f"{text}{few}."
    )


def _text(covariates: Covariates) -> str:
    return Condition((), covariates).context


def _remedy(better: bool) -> str:
    if better:
        return "Choose the column with symbols."
    return f"The model needs {LEAST_SHARE:.0%} of them; is this the right model for these cells?"


def _if(better: bool) -> tuple[Mend, ...]:
    return (Mend.GENE_COLUMN,) if better else ()


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def _some(names: tuple[str, ...], most: int = 6) -> str:
    shown = ", ".join(name or "all cells" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
