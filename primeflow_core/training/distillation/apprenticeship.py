"""Adds a student to a model folder: trained, compared with its teacher, stored, and the default if it is as good."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from primeflow_core.data.cells import Cells
from primeflow_core.data.split_file import TRAIN
from primeflow_core.data.splits import read_split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.models import checkpoint
from primeflow_core.models.flow.primeflow import PRiMeFlow
from primeflow_core.models.sampling_plan import EXPONENTIAL, STUDENT
from primeflow_core.runtime.provenance import now, versions
from primeflow_core.training.distillation.teaching import DistillationConfig, OnStep, distill
from primeflow_core.training.distillation.verdict import Judged, judge


@dataclass(frozen=True)
class StudentComparison:
    """The comparison of a student with its teacher. ``default``: whether the student now makes the model's cells."""

    judged: tuple[Judged, ...]

    @property
    def default(self) -> bool:
        return bool(self.judged) and all(row.good for row in self.judged)

    @property
    def summary(self) -> str:
        if self.default:
            return "as good as its teacher, so cells come from it from now on."
        return (
            "not as good as its teacher, so cells still come from the teacher; more --steps may help, and "
            f"--sampler {STUDENT} asks for it."
        )


def apprentice(
    folder: Path,
    cells: Cells,
    config: DistillationConfig,
    seed: int,
    device: str,
    command: Sequence[str],
    on_step: OnStep,
) -> StudentComparison:
    """Teach the student of the model in ``folder`` with ``cells``, all those of its data file, and store it there.

    ``command`` is recorded with it.

    Raises DataError when ``cells`` are not those of the training, SettingError or CheckpointError for a model that can
    have no student.
    """
    manifest = checkpoint.read_manifest(folder)
    if cells.sha256 != manifest.data_sha256:
        raise DataError(f"{cells.source} is not the file that {manifest.name} was trained on ({manifest.dataset}).")
    split = read_split(folder / checkpoint.SPLIT, cells)
    predictor = checkpoint.load(folder, device, student=False)
    if not isinstance(predictor, PRiMeFlow):
        raise SettingError(f"{manifest.name} is not a PRiMeFlow model; only PRiMeFlow models can have a student.")
    training = cells.subset(split.indices(cells, TRAIN))
    zeros = manifest.sampling.zeros
    student = distill(predictor, training, manifest.trained_on, zeros, config, seed, on_step)
    # As it is stored, so that what is judged is what will be used.
    predictor.student = student.half().float().eval()
    plan = manifest.sampling.by(EXPONENTIAL)
    outcome = StudentComparison(judge(predictor, cells, split, plan, on_step))
    notes = {
        "created": now(),
        "command": " ".join(command),
        "seed": str(seed),
        "settings": json.dumps(asdict(config)),
        "zeros": zeros,
        "versions": json.dumps(versions()),
        "judged": json.dumps([asdict(row) for row in outcome.judged]),
    }
    sampling = manifest.sampling.by(STUDENT) if outcome.default else plan
    described = replace(manifest, sampling=sampling)
    checkpoint.write_student(folder, predictor, predictor.student, notes, described)
    return outcome
