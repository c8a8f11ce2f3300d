"""Names of data files: the endings of the formats, and what stands before them."""

from pathlib import Path

STORE = ".zarr"
ENDINGS = (
    ".h5ad", ".h5mu", ".loom", ".h5", ".zarr", ".mtx", ".csv", ".tsv", ".txt", ".gz", ".bz2", ".xz", ".zip", ".tar",
    ".tgz",
)  # fmt: skip

AFTER_A_NAME = (".obs", "_obs", ".metadata", "_metadata", ".meta", "_meta", "barcodes", "features", "genes")
TABLES = ("metadata", "obs", "cell_metadata", "meta_data")
"""What a table of cells is called: after a data file's name, or alone."""


def stem_of(name: str) -> str:
    """A file's name without the endings that say its format."""
    while (cut := next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")) and len(name) > len(cut):
        name = name[: -len(cut)]
    return name


def is_data_name(path: Path, folder: Path) -> bool:
    """Whether a file, or a .zarr store, below ``folder`` is called like data; what lies inside a store is a part of it,
    and a table that is called like one of cells belongs to another file."""
    if any(parent.suffix == STORE for parent in path.relative_to(folder).parents):
        return False
    if path.is_dir():
        return path.suffix == STORE
    return path.is_file() and path.name.lower().endswith(ENDINGS) and not is_table_of_cells(path.name)


def is_table_of_cells(name: str) -> bool:
    """Whether a file is called as a table of cells, or of genes, beside a matrix is."""
    stem = stem_of(name)
    return stem in TABLES or stem.endswith(AFTER_A_NAME)
