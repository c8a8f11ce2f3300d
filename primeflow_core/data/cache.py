"""The folder in which the product keeps what it can make or download again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """``PRIMEFLOW_CACHE``, or ~/.cache/primeflow."""
    chosen = os.environ.get("PRIMEFLOW_CACHE", "")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "primeflow"
