"""The command report: predictions, rankings and metrics of a model as one file that works offline."""

import argparse
from dataclasses import replace
from datetime import date
from pathlib import Path

from primeflow_core.commands.report_predictions import Predictions
from primeflow_core.commands.report_question import asked_conditions, names_nothing
from primeflow_core.commands.sampling_options import plan_of
from primeflow_core.commands.terminal import note, say
from primeflow_core.data.cells import Cells
from primeflow_core.data.data_file import data_file
from primeflow_core.errors import DataError, SettingError
from primeflow_core.model_store.local_models import Model
from primeflow_core.model_store.training_file import found_training_file, training_cells
from primeflow_core.models import checkpoint
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.report.condition_finding import condition_finding
from primeflow_core.report.condition_link import condition_link
from primeflow_core.report.condition_results import ConditionResults
from primeflow_core.report.evaluation_finding import evaluation_finding
from primeflow_core.report.finding import Finding
from primeflow_core.report.html_report import html_report
from primeflow_core.report.model_finding import model_finding
from primeflow_core.report.pinned_findings import LONGEST_TITLE, TITLE
from primeflow_core.report.screen_finding import screen_finding
from primeflow_core.report.zip_bundle import bundle
from primeflow_core.runtime.atomic_files import check_can_write, replaced
from primeflow_core.screening.screen_file import read_screen
from primeflow_core.wording import counted, day_in_words

FORMATS = (".html", ".zip")
NOT_COMPARED = "The measured cells of {dataset} are not on this machine, so predictions are not compared with them."


def report_command(given: argparse.Namespace) -> None:
    """Files are read and findings of rankings made before the first cell is predicted."""
    _check(given)
    manifest = checkpoint.read_manifest(given.model)
    model = Model(given.model, manifest, checkpoint.version_of(given.model), key=given.model.resolve().name)
    tables = [*(_ranked(path, model) for path in given.screen), *map(evaluation_finding, given.evaluation)]
    conditions = _condition_findings(given, model)
    of_model = [model_finding(model, alone=not conditions)] if names_nothing(given) else []
    _write(given.out, _title(given.title), (*of_model, *conditions, *tables))


def _check(given: argparse.Namespace) -> None:
    if given.out.suffix not in FORMATS:
        raise SettingError(f"--out {given.out} must end in {' or '.join(FORMATS)}.")
    if given.cells is not None and given.cells < 1:
        raise SettingError(f"--cells is {given.cells}; it must be 1 or more.")
    used = [path.resolve() for path in (*given.screen, *given.evaluation)]
    if given.out.resolve() in used:
        raise SettingError(f"--out {given.out} would overwrite a table that the report shows. Choose another name.")
    check_can_write(given.out)


def _ranked(path: Path, model: Model) -> Finding:
    screen = read_screen(path)
    try:
        return screen_finding(screen, model)
    except DataError as error:
        raise DataError(f"{path} cannot be shown in this report: {error}. Name the model that made it.") from error


def _condition_findings(given: argparse.Namespace, model: Model) -> list[Finding]:
    predictions = Predictions(model.folder, model.manifest, given.device)
    plan, usual = plan_of(given, model.manifest.sampling), predictions.usual_cells
    count = usual if given.cells is None else given.cells
    questions = [
        PredictionRequest(model.folder, model.version, condition, count, plan)
        for condition in asked_conditions(given, model.manifest)
    ]
    if not questions:
        return []
    cells = _measured(given, model)
    results = ConditionResults(model, cells, note)
    missing = [part for question in questions for part in results.missing_parts(question, predictions.of)]
    predictions.make([*questions, *missing])
    found = [(question, results.result(question, predictions.of)) for question in questions]
    told = "" if cells is not None else NOT_COMPARED.format(dataset=model.manifest.dataset)
    return [
        replace(condition_finding(result, condition_link(model, question, usual)), note=told)
        for question, result in found
        if result is not None
    ]


def _measured(given: argparse.Namespace, model: Model) -> Cells | None:
    """The cells that the model was trained on; None, and a note, where they are not on this machine."""
    manifest = model.manifest
    if given.data is None and found_training_file(model.folder, manifest) is None:
        note(f"{NOT_COMPARED.format(dataset=manifest.dataset)} --data names their file.")
        return None
    return training_cells(model.folder, manifest, None if given.data is None else data_file(given.data).path)


def _title(text: str | None) -> str:
    return " ".join((text or "").split())[:LONGEST_TITLE] or TITLE


def _write(out: Path, title: str, findings: tuple[Finding, ...]) -> None:
    if not findings:
        raise SettingError("There is nothing to report. Name conditions with --perturbation.")
    made = day_in_words(date.today())
    content = bundle(title, findings, made) if out.suffix == ".zip" else html_report(title, findings, made).encode()
    with replaced(out) as temporary:
        temporary.write_bytes(content)
    cut = " It shows the first rows of long tables; a .zip holds them whole." if out.suffix == ".html" else ""
    say(f"{out}: {counted(len(findings), 'finding')}.{cut}")
    for number, finding in enumerate(findings, start=1):
        say(f"  {number}. {finding.title}")
