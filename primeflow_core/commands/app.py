"""The command that starts the browser app."""

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path

from primeflow_core.commands.terminal import note
from primeflow_core.errors import SettingError

ROOT = Path(__file__).resolve().parents[2]


def app_command(given: argparse.Namespace) -> None:
    """Become the Streamlit server, so that signals and the exit status are its own; on Windows, wait for it."""
    page = ROOT / "app.py"
    if not page.is_file():
        raise SettingError(f"{page} is not there: the app runs from a copy of the repository (make app).")
    _check_free(given.address, given.port)
    note(f"PRiMeFlow opens at http://{given.address}:{given.port} (stop it with Ctrl+C)")
    os.chdir(ROOT)
    options = [f"--server.port={given.port}", f"--server.address={given.address}", "--server.headless=true"]
    server = [sys.executable, "-m", "streamlit", "run", str(page), *options]
    if sys.platform == "win32":
        # There a process cannot become another one: the terminal would come back while the server runs.
        sys.exit(subprocess.run(server, check=False).returncode)
    os.execv(server[0], server)


def _check_free(address: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise SettingError(f"--port {port} is no port; choose one between 1 and 65535.")
    with socket.socket() as probe:
        if sys.platform != "win32":
            # On Windows it would let two servers listen to one port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise SettingError(
                f"Port {port} at {address} cannot be used ({error.strerror}). Choose another --port."
            ) from error
