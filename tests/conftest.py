"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the real data files; tests that need it say so when it is absent."""
    folder = os.environ.get("PRIMEFLOW_MIRROR", "")
    if not folder or not (Path(folder) / "perturbench-devel.h5ad").exists():
        pytest.skip("set PRIMEFLOW_MIRROR to a folder with perturbench-devel.h5ad and kang18-ifnb-pbmc.h5ad")
    return Path(folder)
