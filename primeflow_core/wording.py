"""Counts and dates formatted for sentences."""

from datetime import date


def counted(number: int, noun: str) -> str:
    """For instance ``1 candidate`` and ``2,000 candidates``; the noun in the singular."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def day_in_words(day: date) -> str:
    """For instance ``1 November 2026``, on every system: not all can leave out the zero of ``01``."""
    return f"{day.day} {day:%B %Y}"
