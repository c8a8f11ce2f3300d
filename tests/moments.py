"""Interruption at a named moment, in this process: after it nothing reaches the disk, as after a kill.

Moments have names such as ``training/state.safetensors written``: a file is ``begun`` when its temporary file is there,
``written`` when that is whole, and ``in place`` when it has its name.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from primeflow_core.__main__ import main
from primeflow_core.runtime.atomic_files import PARTIAL
from primeflow_core.runtime.folder_lock import LOCK

CHANGES = (
    ("touch", "", "begun"), ("replace", "written", "in place"), ("unlink", "", ""),
    ("rmdir", "", ""), ("mkdir", "", ""), ("chmod", "", ""),
)  # fmt: skip
"""What is done through Path, and the moments before and after it."""


class KilledError(BaseException):
    """The process is gone; nothing catches it on the way but what ends without a word to the disk."""


@dataclass
class Disk:
    """Tells of what is done to it through Path; after ``moment`` nothing is done any more."""

    moment: str
    seen: list[str] = field(default_factory=list)

    def check_alive(self) -> None:
        if self.seen[-1:] == [self.moment]:
            raise KilledError(self.moment)

    def _come(self, now: str) -> None:
        self.seen.append(now)
        self.check_alive()

    def changing(self, change: Callable[..., object], before: str, after: str) -> Callable[..., object]:
        """``change``, with the moments ``before`` and ``after`` it where it concerns a temporary file."""

        def changed(path: Path, *given: object, **options: object) -> object:
            # A lock ends with its process, whatever becomes of its file.
            if path.name == LOCK:
                return change(path, *given, **options)
            self.check_alive()
            temporary = path.name.endswith(PARTIAL)
            if temporary and before:
                self._come(f"{_name(path)} {before}")
            done = change(path, *given, **options)
            if temporary and after:
                self._come(f"{_name(path)} {after}")
            return done

        return changed

    def opening(self, opened: Callable[..., object]) -> Callable[..., object]:
        def open_alive(path: Path, mode: str = "r", *given: object, **options: object) -> object:
            if not set(mode).isdisjoint("wax+"):
                self.check_alive()
            return opened(path, mode, *given, **options)

        return open_alive


@contextmanager
def ending_at(moment: str) -> Iterator[list[str]]:
    """The moments that came, in order; at ``moment`` KilledError is raised, and the disk stays as it is then."""
    disk = Disk(moment)
    with pytest.MonkeyPatch.context() as patch:
        for name, before, after in CHANGES:
            patch.setattr(Path, name, disk.changing(getattr(Path, name), before, after))
        patch.setattr(Path, "open", disk.opening(Path.open))
        yield disk.seen


def _name(temporary: Path) -> str:
    """``folder/file`` of what ``temporary`` takes the place of."""
    named = re.fullmatch(rf"\.(.+)\.\d+\.[0-9a-f]+{re.escape(PARTIAL)}", temporary.name)
    assert named, f"{temporary.name} is not named as temporary files are"
    return f"{temporary.parent.name}/{named[1]}"


def interrupted(command: Sequence[str], moments: Sequence[str], check: Callable[[], object] = lambda: None) -> None:
    """Run the command once for each moment and end it there, then to its end; ``check`` looks at the disk between.

    Fails where a run comes to its end without the moment.
    """
    for moment in moments:
        with ending_at(moment) as seen, pytest.raises(KilledError):
            _run(command)
        assert seen[-1] == moment
        check()
    assert _run(command) == 0


def _run(command: Sequence[str]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["primeflow", *command])
        return main(command)
