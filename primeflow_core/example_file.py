"""A small .h5ad of simulated cells, to try the app with; the file says of itself that it is simulated."""

import tempfile
from pathlib import Path

from primeflow_core.data.simulated_screen import SimulationConfig, simulate

FILE_NAME = "simulated-example.h5ad"
CELLS = 1_500


def example_h5ad() -> bytes:
    """Cells of the simulated screen, fewer than the model named after it was trained on, and other ones."""
    adata = simulate(SimulationConfig(cells=CELLS))
    del adata.layers["counts"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE_NAME
        adata.write_h5ad(path, compression="gzip")
        return path.read_bytes()
