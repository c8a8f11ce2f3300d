"""The file that a session looks at on the page Your cells: bringing it, what its owner says of it, forgetting it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import streamlit as st

from pages.parts import address
from primeflow_core import uploads
from primeflow_core.checklist import Checklist
from primeflow_core.errors import DataError
from primeflow_core.own_cells import Fixes, Own, OwnShelf, Purpose
from primeflow_core.uploads import BroughtFile

_DRAFT, _PROBLEM, _UPLOADS = "_own_draft", "_own_problem", "_own_uploads"


@dataclass(frozen=True)
class Draft:
    """A file with what was said of it so far."""

    brought: BroughtFile
    fixes: Fixes = field(default_factory=Fixes)

    def own(self, found: Checklist, purpose: Purpose, model: str) -> Own:
        """The cells as they would be used with the model of that name in the library."""
        return Own(
            self.brought.path, self.brought.sha256, self.brought.name, self.fixes, purpose, model,
            found.stands_for, found.simulated,
        )  # fmt: skip


def draft(shelf: OwnShelf) -> Draft | None:
    """The file of this session, else the one whose cells the address names."""
    if _DRAFT not in st.session_state and (token := address.carried("own")):
        own = shelf.get(token)
        if own is None:
            address.carry("own", "")
            say("The cells that this link speaks of are no longer kept here. Bring the file again.")
        else:
            st.session_state[_DRAFT] = Draft(BroughtFile(own.file, own.sha256, own.name), own.fixes)
    found = st.session_state.get(_DRAFT)
    return found if isinstance(found, Draft) else None


def upload_key() -> str:
    """Key of the upload box; a new one after each file lets go of its bytes."""
    return f"own-upload-{st.session_state.get(_UPLOADS, 0)}"


def take_upload() -> None:
    """Keep what was put into the upload box."""
    sent = st.session_state.get(upload_key())
    if sent is not None:
        st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1
        _take(lambda: uploads.keep(sent, sent.name))


def take_listed(key: str) -> None:
    """Take the file of the data folder that was chosen in the box ``key``."""
    name = st.session_state.get(key)
    if name:
        _take(lambda: uploads.data_file(name))


def _take(bring: Callable[[], BroughtFile]) -> None:
    try:
        brought = bring()
    except DataError as error:
        say(str(error))
        return
    st.session_state[_DRAFT] = Draft(brought)
    address.carry("own", "")


def change(fixes: Fixes) -> None:
    """Say something else of the file; cells in use stay what they were until they are used anew."""
    st.session_state[_DRAFT] = replace(st.session_state[_DRAFT], fixes=fixes)


def use(own: Own, shelf: OwnShelf) -> None:
    """Put the cells to use, in place of those that this session used before."""
    shelf.forget(address.carried("own"))
    address.carry("own", shelf.put(own))


def stop_using(shelf: OwnShelf) -> None:
    """Predictions meet the model's own cells again; the file stays."""
    shelf.forget(address.carried("own"))
    address.carry("own", "")


def forget(shelf: OwnShelf) -> None:
    """Delete the upload, unless somebody else uses the same one, and all that this session knows of it."""
    found = st.session_state.pop(_DRAFT, None)
    stop_using(shelf)
    if isinstance(found, Draft) and not shelf.holds(found.brought.sha256):
        uploads.forget(found.brought.sha256)


def say(problem: str) -> None:
    st.session_state[_PROBLEM] = problem


def problem() -> str:
    """What went wrong with the last file, once; else empty."""
    return str(st.session_state.pop(_PROBLEM, ""))
