"""Numbers of things as sentences have them."""


def counted(number: int, noun: str) -> str:
    """For instance ``1 candidate`` and ``2,000 candidates``; the noun in the singular."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
