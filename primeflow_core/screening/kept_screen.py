"""Handles a table that already exists where a screen is to write one."""

from dataclasses import replace
from pathlib import Path

from primeflow_core.data.reading_request import Report
from primeflow_core.errors import DataError, SettingError
from primeflow_core.screening.next_experiments import next_experiments
from primeflow_core.screening.screen_file import UNFINISHED, Screen, read_screen, write_screen
from primeflow_core.screening.screen_spec import ScreenOrder
from primeflow_core.screening.shards import Parts
from primeflow_core.wording import counted


def there(out: Path, order: ScreenOrder, changes: bool) -> Screen | None:
    """The finished table of this very order; None where there is none, or but a part of it, or one without the changes
    that are wanted.

    Raises SettingError where the file holds anything else, which would be lost.
    """
    if not out.is_file():
        return None
    try:
        found = read_screen(out)
    except DataError as error:
        raise SettingError(f"{out} is there and no table of a screen. Choose another --out, or delete it.") from error
    if (found.about.get("fingerprint"), found.goal) != (order.fingerprint, order.goal):
        raise SettingError(
            f"{out} holds the table of another screen ({counted(len(found.table), 'candidate')}, "
            f"{found.about.get('model')}: {found.goal.sentence}). Choose another --out, or delete it."
        )
    lacks = UNFINISHED in found.about or (changes and not len(found.changes))
    return None if lacks else found


def clear_left_behind(out: Path, order: ScreenOrder) -> None:
    """Remove the folder of a run that was killed after it wrote its table."""
    parts = Parts.left_behind(out, order)
    if parts is not None:
        parts.remove()


def with_next(found: Screen, count: int, out: Path, report: Report) -> Screen:
    """With ``count`` experiments to measure next, where the table in ``out`` kept what choosing them needs."""
    chosen = next_experiments(found.table, found.changes, count, found.goal)
    if len(chosen) == len(found.next):
        return found
    if not len(found.changes):
        report(
            f"It names {counted(len(found.next), 'experiment')} to measure next, not {len(chosen)}: choosing again "
            "needs the change of every gene. Add --changes, or choose another --out."
        )
        return found
    found = replace(found, next=chosen)
    write_screen(out, found)
    return found
