"""Pinned findings: each reader has a notebook, found by a key that nobody can guess, and limited in size."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from primeflow_core.errors import PrimeflowError
from primeflow_core.report.finding import Finding

TITLE = "What we found"
LONGEST_TITLE, LONGEST_NOTE = 200, 4_000


class NotebookFullError(PrimeflowError):
    """Raised if a notebook is full: one finding must be removed before another is added."""


@dataclass
class _Notebook:
    """Findings by id in the order of the report, and the id that each key was pinned as; guarded by the lock."""

    title: str = TITLE
    findings: dict[str, Finding] = field(default_factory=dict)
    pinned: dict[str, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return sum(finding.nbytes for finding in self.findings.values())


class Notebooks:
    """The notebook of each reader, by token; safe to use from many threads.

    A notebook holds ``most_findings`` at most. All together hold ``most_bytes`` and are ``most_notebooks`` at most:
    the one longest unused goes first, never the one in use.
    """

    def __init__(self, *, most_findings: int = 24, most_bytes: int = 128 << 20, most_notebooks: int = 256) -> None:
        self._most_findings = most_findings
        self._most_bytes = most_bytes
        self._most_notebooks = most_notebooks
        self._lock = threading.Lock()
        self._books: OrderedDict[str, _Notebook] = OrderedDict()

    def start(self) -> str:
        """The token of a new, empty notebook."""
        with self._lock:
            token = secrets.token_urlsafe(16)
            self._books[token] = _Notebook()
            while len(self._books) > self._most_notebooks:
                self._books.popitem(last=False)
            return token

    def knows(self, token: str) -> bool:
        """False for a token that never was, or whose notebook made room for others."""
        with self._lock:
            return token in self._books

    def findings(self, token: str) -> tuple[Finding, ...]:
        """The findings in the order of the report; empty for an unknown token."""
        with self._lock:
            book = self._used(token)
            return tuple(book.findings.values()) if book else ()

    def holds(self, token: str, key: str) -> bool:
        """Whether the finding that was added as ``key`` is still there."""
        with self._lock:
            book = self._used(token)
            return book is not None and book.pinned.get(key) in book.findings

    def add(self, token: str, finding: Finding, key: str = "") -> None:
        """Put ``finding`` last, or in the place of the same view, whose note it keeps. ``key`` asks for it later.

        Raises NotebookFullError where it would be one too many, or too large.
        """
        with self._lock:
            book = self._books.setdefault(token, _Notebook())
            self._books.move_to_end(token)
            before = book.findings.get(finding.id)
            self._check_room(book, finding, before)
            book.findings[finding.id] = replace(finding, note=finding.note or before.note) if before else finding
            if key:
                book.pinned[key] = finding.id
            self._make_room()

    def remove(self, token: str, finding_id: str) -> None:
        with self._lock:
            if book := self._used(token):
                book.findings.pop(finding_id, None)
                book.pinned = {key: known for key, known in book.pinned.items() if known != finding_id}

    def move(self, token: str, finding_id: str, by: int) -> None:
        """Move a finding ``by`` places, down where positive; it stops at either end."""
        with self._lock:
            book = self._used(token)
            if book is None or finding_id not in book.findings:
                return
            order = list(book.findings)
            place = order.index(finding_id)
            order.insert(max(0, min(len(order) - 1, place + by)), order.pop(place))
            book.findings = {known: book.findings[known] for known in order}

    def write(self, token: str, finding_id: str, note: str) -> None:
        """Replace the note, cut at LONGEST_NOTE characters."""
        with self._lock:
            book = self._used(token)
            if book is not None and finding_id in book.findings:
                book.findings[finding_id] = replace(book.findings[finding_id], note=note[:LONGEST_NOTE])

    def title(self, token: str) -> str:
        with self._lock:
            book = self._used(token)
            return book.title if book else TITLE

    def call(self, token: str, title: str) -> None:
        """Give the report a title, cut at LONGEST_TITLE characters; a blank one restores the usual."""
        with self._lock:
            if book := self._used(token):
                book.title = " ".join(title.split())[:LONGEST_TITLE] or TITLE

    def _used(self, token: str) -> _Notebook | None:
        book = self._books.get(token)
        if book is not None:
            self._books.move_to_end(token)
        return book

    def _check_room(self, book: _Notebook, finding: Finding, before: Finding | None) -> None:
        if before is None and len(book.findings) >= self._most_findings:
            raise NotebookFullError(
                f"Your report holds {len(book.findings)} findings, which is as many as it can. "
                "Remove one on the Report page, or download the report and start afresh."
            )
        size = book.nbytes + finding.nbytes - (before.nbytes if before else 0)
        if size > self._most_bytes:
            raise NotebookFullError(
                f"With this finding your report would take {size / 1e6:,.0f} MB; {self._most_bytes / 1e6:,.0f} MB is "
                "the most. Remove a finding on the Report page first."
            )

    def _make_room(self) -> None:
        while len(self._books) > 1 and (
            len(self._books) > self._most_notebooks
            or sum(book.nbytes for book in self._books.values()) > self._most_bytes
        ):
            self._books.popitem(last=False)
