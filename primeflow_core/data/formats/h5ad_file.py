"""AnnData's own .h5ad: read as it is, unless it is packed, described by another table, or older than AnnData 0.7."""

import shutil
from pathlib import Path

from primeflow_core.data.formats.file_format import Converted, FileFormat, FormatSource
from primeflow_core.data.formats.hdf5_parts import groups, is_hdf5
from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.data.h5ad.writing import write_anndata

TABLES = ("obs", "var")


def is_old(path: Path) -> bool:
    """Whether obs or var is one compound data set, as before AnnData 0.7."""
    found = groups(path)
    return set(TABLES) <= set(found) and not all(found[name] for name in TABLES)


def convert_old(source: FormatSource, target: Path) -> Converted:
    """By AnnData's reader, which takes all that AnnData ever wrote."""
    import anndata  # slow to import

    write_anndata(target, anndata.read_h5ad(source.path))
    text = "The file was written by an AnnData before 0.7; AnnData's reader converted it."
    return Converted((Problem(Severity.NOTE, "old-anndata", text),))


def copy(source: FormatSource, target: Path) -> Converted:
    shutil.copyfile(source.path, target)
    return Converted()


OLD_H5AD = FileFormat("h5ad before 0.7", "an .h5ad of AnnData before 0.7", is_old, convert_old)
H5AD = FileFormat("h5ad", "an .h5ad", is_hdf5, copy)
