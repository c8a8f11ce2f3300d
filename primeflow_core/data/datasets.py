"""Named data sets: where each comes from, how its file is laid out, its licence; and bringing it into the cache.

A file is looked for in the cache, then in the mirror (``PRIMEFLOW_MIRROR``, a folder or an http address), then at its
own address. Only ``fetch`` uses the network. What is in the cache is checked by size and sha256.
"""

import difflib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from primeflow_core.data import simulated_screen
from primeflow_core.data.cache import cache_folder
from primeflow_core.data.cells import Cells
from primeflow_core.data.download import OnProgress, Record, Remote, download, megabytes, read_record, write_record
from primeflow_core.data.h5ad.known_content import note_known
from primeflow_core.data.h5ad.reading import read_as
from primeflow_core.data.h5ad.writing import sha256_of, write_anndata
from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import Repair
from primeflow_core.errors import DataError, DownloadError, PrimeflowError, StorageError
from primeflow_core.runtime.atomic_files import replaced

_PERTURBENCH = "https://huggingface.co/datasets/altoslabs/perturbench/resolve/main/"
_PERTURBENCH_CITATION = "Wu et al., PerturBench (2024), arXiv:2408.10609"


@dataclass(frozen=True)
class Dataset:
    """One row of the table. ``columns`` is the layout of the file, ``counts`` says that X holds counts.

    ``size`` (bytes) and ``sha256`` are None where they are recorded at the first download; ``address`` is None where
    only a mirror has the file; ``packed``: the address serves a gzip of it.
    """

    name: str
    file_name: str
    address: str | None
    size: int | None
    sha256: str | None
    columns: Layout
    licence: str
    citation: str
    task: str
    description: str
    simulated: bool = False
    counts: bool = False
    packed: bool = False
    companions: tuple[Remote, ...] = ()

    @property
    def reading(self) -> Reading:
        return Reading(self.columns, Repair(normalise=self.counts))

    @property
    def remote(self) -> Remote:
        return Remote(self.file_name, self.address, self.size, self.sha256, self.packed)


def _perturbench(
    name: str, citation: str, task: str, description: str, *, columns: Layout, companions: tuple[str, ...] = ()
) -> Dataset:
    """A full set as PerturBench hosts it, preprocessed."""
    stem = name.replace("-", "_")
    return Dataset(
        name=name,
        file_name=f"{stem}_processed.h5ad",
        address=f"{_PERTURBENCH}{stem}_processed.h5ad.gz",
        size=None,
        sha256=None,
        columns=columns,
        licence="CC-BY-4.0",
        citation=f"{citation}; processed by {_PERTURBENCH_CITATION}",
        task=task,
        description=description,
        packed=True,
        companions=tuple(Remote(companion, _PERTURBENCH + companion) for companion in companions),
    )


_SCREEN = Layout(covariates=("cell_type",), kind="perturbation_type")

DATASETS: tuple[Dataset, ...] = (
    Dataset(
        name="simulated-screen",
        file_name=f"simulated-screen-v{simulated_screen.VERSION}.h5ad",
        address=None,
        size=None,
        sha256=None,
        columns=_SCREEN,
        licence="CC0-1.0",
        citation="made by the command primeflow simulate",
        task="combo",
        description="SIMULATED cells: 3 contexts, gene switches and drugs with doses, pairs of known interaction",
        simulated=True,
    ),
    Dataset(
        name="perturbench-devel",
        file_name="perturbench-devel.h5ad",
        address="https://raw.githubusercontent.com/altoslabs/perturbench/main/src/perturbench/data/resources/devel.h5ad",
        size=1_142_678,
        sha256="220998f5630c813228c8661c86dd52244b9ac87127511289af90e0d900d8429b",
        columns=_SCREEN,
        licence="BSD-3-Clause",
        citation=f"Norman et al. (2019), McFaline-Figueroa et al. (2024); subset of {_PERTURBENCH_CITATION}",
        task="combo",
        description="5,961 cells, 500 genes: K562 genes switched up, singles and pairs; three glioma lines, down",
    ),
    Dataset(
        name="kang18-ifnb-pbmc",
        file_name="kang18-ifnb-pbmc.h5ad",
        address=None,
        size=2_665_268,
        sha256="a36e86d1685af5dac5c417354c3d14369fd072cd260de0260eaa724d5928dc11",
        columns=Layout(condition="group_id", covariates=("cluster_id",), control="ctrl", separator=None),
        licence="GPL-3.0 (package); measurements GEO GSE96583",
        citation="Kang et al. (2018); converted from HelenaLC/muscat",
        task="transfer",
        description="1,556 cells, 1,267 genes, counts: interferon beta on five immune cell types",
        counts=True,
    ),
    Dataset(
        name="gbm-panobinostat",
        file_name="gbm_panobinostat_5000x300.h5ad",
        address=None,
        size=1_640_137,
        sha256="c04e01e4bbc3c9b821a0f3d692f7fd9a25d5905472515d4bc7ce148bea98af67",
        columns=Layout(condition="condition", covariates=("patient_id",), control="ctrl", separator=None),
        licence="MIT (package); measurements GEO GSE148842",
        citation="Zhao et al. (2021); converted from const-ae/lemur",
        task="transfer",
        description="5,000 cells, 300 genes, counts: panobinostat on glioblastoma tissue of five donors",
        counts=True,
    ),
    _perturbench(
        "norman19", "Norman et al. (2019)", "combo", "111,445 cells, 5,666 genes: K562, genes up, singles and pairs",
        columns=_SCREEN,
    ),
    _perturbench(
        "srivatsan20-highest-dose", "Srivatsan et al. (2020)", "transfer",
        "178,213 cells, about 8,630 genes: drugs at their highest dose in three cancer lines",
        columns=Layout(covariates=("cell_type",), separator=None),
    ),
    _perturbench(
        "jiang24", "Jiang et al. (2024)", "transfer",
        "1,628,476 cells, 15,476 genes: genes knocked out in several lines under cytokines",
        columns=Layout(covariates=("cell_type", "treatment")), companions=("jiang24_split.csv",),
    ),
    _perturbench(
        "mcfaline23-gxe", "McFaline-Figueroa et al. (2024)", "transfer",
        "genes switched down in three glioma lines with and without kinase inhibitors",
        columns=Layout(covariates=("cell_type", "treatment")), companions=("mcfaline23_gxe_splits.tar.gz",),
    ),
    _perturbench(
        "frangieh21", "Frangieh et al. (2021)", "transfer", "genes knocked out in melanoma cells, three conditions",
        columns=Layout(covariates=("treatment",)), companions=("frangieh21_split.csv",),
    ),
    _perturbench(
        "op3", "Open Problems perturbation prediction (2024)", "transfer", "drugs on immune cells of three donors",
        columns=Layout(condition="SMILES", covariates=("cell_type",), control="C[S+](C)[O-]", separator=None),
        companions=("op3_split.csv",),
    ),
)  # fmt: skip


def dataset_named(name: str) -> Dataset:
    """Raises DataError with the nearest names for an unknown one."""
    for dataset in DATASETS:
        if dataset.name == name:
            return dataset
    names = [dataset.name for dataset in DATASETS]
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]}? " if close else ""
    raise DataError(f"There is no data set named {name!r}. {hint}There are: {', '.join(names)}.")


def mirror() -> Path | str | None:
    """``PRIMEFLOW_MIRROR``: a folder, an http address without its last slash, or None."""
    chosen = os.environ.get("PRIMEFLOW_MIRROR", "")
    if not chosen:
        return None
    return chosen.rstrip("/") if chosen.startswith(("http://", "https://")) else Path(chosen).expanduser()


def local_path(name: str) -> Path | None:
    """The file of a data set where it is on this machine, in the cache or a mirror folder; never uses the network.

    Raises DownloadError for a damaged file in the cache, DataError for an unknown name.
    """
    remote = dataset_named(name).remote
    cached = cache_folder() / remote.file_name
    if cached.is_file():
        _check_cached(remote, cached)
        note_known(cached)
        return cached
    folder = mirror()
    if isinstance(folder, Path) and (folder / remote.file_name).is_file():
        _check_mirrored(remote, folder / remote.file_name)
        if remote.sha256 is not None:
            note_known(folder / remote.file_name)
        return folder / remote.file_name
    return None


def _check_cached(remote: Remote, cached: Path, *, thoroughly: bool = False) -> None:
    """A file that is as old and as large as its record says was checked before; anything else is hashed."""
    record = read_record(cached)
    expected = remote.sha256 or (record.sha256 if record else None)
    state = cached.stat()
    unchanged = record is not None and (record.size, record.modified) == (state.st_size, state.st_mtime_ns)
    if unchanged and not thoroughly and record is not None and record.sha256 == expected:
        return
    found = sha256_of(cached)
    if expected is not None and found != expected:
        raise DownloadError(
            f"{cached} is damaged: sha256 {found[:12]}…, expected {expected[:12]}…. "
            "Delete it, or let `primeflow fetch` bring it again."
        )
    if not unchanged and os.access(cached.parent, os.W_OK):
        write_record(cached, address=str(cached), sha256=found, sent_sha256=record.sent_sha256 if record else found)


def _check_mirrored(remote: Remote, file: Path) -> None:
    if remote.size is not None and file.stat().st_size != remote.size:
        raise DownloadError(
            f"{file} has {file.stat().st_size:,} bytes; {remote.size:,} were expected. Copy it into the mirror again."
        )
    if remote.sha256 is not None and sha256_of(file) != remote.sha256:
        raise DownloadError(f"{file} is not the expected file (sha256 differs). Copy it into the mirror again.")


def fetch(name: str, on_progress: OnProgress | None = None) -> Path:
    """Download a data set and its companions into the cache and return its file; a file that is there is kept.

    ``on_progress`` is told bytes done and, where known, bytes in all. Raises DownloadError.
    """
    dataset = dataset_named(name)
    if dataset.simulated:
        return _simulated(dataset)
    for companion in dataset.companions:
        _fetched(companion, on_progress)
    return _fetched(dataset.remote, on_progress)


def _simulated(dataset: Dataset) -> Path:
    path = cache_folder() / dataset.file_name
    if local_path(dataset.name) is None:
        adata = simulated_screen.simulate(simulated_screen.SimulationConfig())
        write_anndata(path, adata)
        _check_cached(dataset.remote, path)
    return path


def _fetched(remote: Remote, on_progress: OnProgress | None) -> Path:
    cached = cache_folder() / remote.file_name
    if cached.is_file() and _is_whole(remote, cached):
        return cached
    cached.parent.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    for source in _sources(remote):
        try:
            if isinstance(source, Path):
                _copy(remote, source, cached)
            else:
                as_served, address = source
                download(as_served, address, cached, on_progress)
        except StorageError:
            raise
        except PrimeflowError as error:
            reasons.append(str(error))
        else:
            return cached
    raise DownloadError(_not_brought(remote, reasons))


def _is_whole(remote: Remote, cached: Path) -> bool:
    try:
        _check_cached(remote, cached, thoroughly=True)
    except DownloadError:
        return False
    return True


def _sources(remote: Remote) -> list[Path | tuple[Remote, str]]:
    """The places the file can come from, in the order in which they are tried."""
    sources: list[Path | tuple[Remote, str]] = []
    place = mirror()
    if isinstance(place, Path):
        sources.append(place / remote.file_name)
    elif place is not None:
        plain = Remote(remote.file_name, None, remote.size, remote.sha256)
        sources.append((plain, f"{place}/{remote.file_name}"))
    if remote.address is not None:
        sources.append((remote, remote.address))
    return sources


def _copy(remote: Remote, file: Path, cached: Path) -> Record:
    if not file.is_file():
        raise DownloadError(f"The mirror folder has no {file.name}.")
    _check_mirrored(remote, file)
    with replaced(cached) as temporary:
        shutil.copyfile(file, temporary)
    found = sha256_of(cached)
    return write_record(cached, address=str(file), sha256=found, sent_sha256=found)


def _not_brought(remote: Remote, reasons: list[str]) -> str:
    why = " ".join(reasons) or "It has no public address and no mirror is set."
    return (
        f"{remote.file_name} ({megabytes(remote.size)}) could not be downloaded. {why} Check the network, or set "
        f"PRIMEFLOW_MIRROR to a folder that holds {remote.file_name}."
    )


def open_cells(name: str) -> Cells:
    """The cells of a data set that is on this machine; the simulated one is made when it is not.

    Raises DownloadError where it still has to be fetched.
    """
    dataset = dataset_named(name)
    path = _simulated(dataset) if dataset.simulated else local_path(name)
    if path is None:
        raise DownloadError(f"{name} is not on this machine yet. Download it with: primeflow fetch {name}")
    return read_as(path, dataset.reading)
