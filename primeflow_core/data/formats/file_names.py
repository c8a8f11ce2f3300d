"""Names of data files: the endings of the formats, and what stands before them."""

ENDINGS = (
    ".h5ad", ".h5mu", ".loom", ".h5", ".zarr", ".mtx", ".csv", ".tsv", ".txt", ".gz", ".bz2", ".xz", ".zip", ".tar",
    ".tgz",
)  # fmt: skip


def stem_of(name: str) -> str:
    """A file's name without the endings that say its format."""
    while (cut := next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")) and len(name) > len(cut):
        name = name[: -len(cut)]
    return name
