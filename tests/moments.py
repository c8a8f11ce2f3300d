"""Interruption at a named moment, in this process: after it nothing reaches the disk, as after a kill.

Moments have names such as ``training/state.safetensors written``: a file is ``begun`` when its temporary file is there,
``written`` when that is whole, and ``in place`` when it has its name.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from primeflow_core.__main__ import main
from primeflow_core.runtime.atomic_files import PARTIAL

CHANGES = ("touch", "replace", "unlink", "rmdir", "mkdir", "chmod")


class KilledError(BaseException):
    """The process is gone; nothing catches it on the way but what ends without a word to the disk."""


@contextmanager
def ending_at(moment: str) -> Iterator[list[str]]:
    """The moments that came, in order; at ``moment`` KilledError is raised, and the disk stays as it is then."""
    seen: list[str] = []
    dead = False
    plain = {name: getattr(Path, name) for name in CHANGES}
    opened = Path.open

    def come(now: str) -> None:
        nonlocal dead
        seen.append(now)
        if now == moment:
            dead = True
            raise KilledError(moment)

    def changing(name: str) -> Callable[..., object]:
        def change(path: Path, *given: object, **options: object) -> object:
            if dead:
                raise KilledError(moment)
            temporary = path.name.endswith(PARTIAL)
            if name == "replace" and temporary:
                come(f"{_name(path)} written")
            done = plain[name](path, *given, **options)
            if name == "touch" and temporary:
                come(f"{_name(path)} begun")
            if name == "replace" and temporary:
                come(f"{_name(path)} in place")
            return done

        return change

    def opening(path: Path, mode: str = "r", *given: object, **options: object) -> object:
        if dead and not set(mode).isdisjoint("wax+"):
            raise KilledError(moment)
        return opened(path, mode, *given, **options)

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(Path, name, changing(name))
        patch.setattr(Path, "open", opening)
        yield seen


def _name(temporary: Path) -> str:
    """``folder/file`` of what ``temporary`` takes the place of."""
    return f"{temporary.parent.name}/{temporary.name.removesuffix(PARTIAL).rsplit('.', 1)[0].lstrip('.')}"


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
