"""Who may work in a folder: one process at a time, until it ends, however it ends."""

import ast
import errno
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

from primeflow_core.errors import SettingError
from primeflow_core.runtime.folder_lock import LOCK, alone_in, let_go, locked

HOLDER = """
import sys, time
from pathlib import Path
from primeflow_core.runtime.folder_lock import locked
held = locked(Path(sys.argv[1]))
print("in", flush=True)
time.sleep(600)
"""
ROOT = Path(__file__).resolve().parents[2]
OURS = [*(path for place in ("primeflow_core", "pages", "benchmarks", "docs") for path in (ROOT / place).rglob("*.py"))]
ONLY_UNIX = {"fcntl", "pwd", "grp", "termios", "tty", "pty"}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_ended_frees_the_folder(tmp_path, end):
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(SettingError, match=r"Another process works in .* Wait for it to finish, stop it"):
            locked(tmp_path)
        other.send_signal(end)
    assert (tmp_path / LOCK).is_file()
    with alone_in(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_held_once_in_a_process_too(tmp_path):
    first = locked(tmp_path)
    with pytest.raises(SettingError, match="Another process works in"):
        locked(tmp_path)
    let_go(first)
    let_go(locked(tmp_path))


def test_of_many_at_once_one_gets_in(tmp_path):
    def tried(_):
        try:
            return locked(tmp_path)
        except SettingError:
            return None

    with ThreadPoolExecutor(8) as pool:
        held = [lock for lock in pool.map(tried, range(64)) if lock is not None]
    assert len(held) == 1
    let_go(held[0])


def test_it_can_be_let_go_in_another_thread(tmp_path):
    lock = locked(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(let_go, lock).result()
    let_go(locked(tmp_path))


def test_a_file_system_without_locks_is_not_locked(tmp_path, monkeypatch):
    def without(self, *_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", without)
    assert locked(tmp_path) is None
    with alone_in(tmp_path):
        pass


def test_no_module_needs_what_only_unix_has():
    for path in OURS:
        text = path.read_text(encoding="utf-8")
        assert not any(sign in text for sign in ("%-d", "%-m", "%-H", "preexec_fn", "os.fork(", "SIGKILL")), path
        names = [name for node in ast.walk(ast.parse(text)) for name in _imported(node)]
        assert not ONLY_UNIX & set(names), path


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    return [node.module.split(".")[0]] if isinstance(node, ast.ImportFrom) and node.module else []
