"""The file of a session on the page Your cells: bringing it, the choices made for it, forgetting it.

The address of that page names the file, so that it is found again when the page is reloaded.
"""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

import pages
from pages.parts import address
from primeflow_core.errors import PrimeflowError
from primeflow_core.user_data import uploads
from primeflow_core.user_data.file_checklist import Checklist
from primeflow_core.user_data.uploads import BroughtFile
from primeflow_core.user_data.user_cells import Draft, Fixes, Own, OwnShelf, Purpose, known_fixes

FILE, LISTED = "file", "own_listed"
_DRAFT, _PROBLEM, _UPLOADS = "_own_draft", "_own_problem", "_own_uploads"


def draft(shelf: OwnShelf) -> Draft | None:
    """The file of this session, else the file that the address names, else the file of the cells that it names."""
    token = token_of_draft()
    found = shelf.draft(token)
    own = shelf.get(address.carried("own"))
    if found is None and own is not None:
        found = Draft(BroughtFile(own.file, own.sha256, own.name), own.fixes)
        token = shelf.put(found)
    if own is None and address.carried("own"):
        address.carry("own", "")
        say("The cells of this link are no longer kept here. Bring the file again.")
    elif found is None and token:
        say("Your file is no longer kept here. Bring it again.")
    st.session_state[_DRAFT] = token if found else ""
    return found


def token_of_draft() -> str:
    """The token of this session's file, for the address of its page; empty without a file."""
    known = st.session_state.get(_DRAFT)
    return str(known if known is not None else st.query_params.get(FILE, ""))


def own_of(looked_at: Draft, found: Checklist, purpose: Purpose, model: str) -> Own:
    """The cells as they would be used with the model of that name in the library."""
    brought = looked_at.brought
    return Own(
        brought.path, brought.sha256, brought.name, looked_at.fixes, purpose, model, found.stands_for, found.simulated
    )


def upload_key() -> str:
    """Key of the upload box. A new key after each file frees its bytes."""
    return f"own-upload-{st.session_state.get(_UPLOADS, 0)}"


def take_upload(shelf: OwnShelf) -> None:
    """Keep what was put into the upload box."""
    sent = st.session_state.get(upload_key())
    if sent is not None:
        st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1
        st.session_state[LISTED] = None
        _take(lambda: uploads.keep(sent, sent.name), shelf)


def take_listed(shelf: OwnShelf) -> None:
    """Take the file of the data folder that was chosen in the box ``LISTED``."""
    name = st.session_state.get(LISTED)
    if name:
        _take(lambda: uploads.data_file(name), shelf)


def _take(bring: Callable[[], BroughtFile], shelf: OwnShelf) -> None:
    try:
        brought = bring()
    except PrimeflowError as error:
        say(str(error))
        return
    stop_using(shelf)
    shelf.forget(token_of_draft())
    st.session_state[_DRAFT] = shelf.put(Draft(brought, fixes_known_of(brought.sha256)))


def fixes_known_of(sha256: str) -> Fixes:
    """How a file of this content was read before, by a model of the library or as a named data set."""
    return known_fixes(sha256, (model.manifest for model in pages.library().models.values()))


def change(fixes: Fixes, shelf: OwnShelf) -> None:
    """Change the choices for the file. Cells in use do not change until they are used again."""
    found = shelf.draft(token_of_draft())
    if found is not None:
        shelf.put(replace(found, fixes=fixes), token_of_draft())


def use(own: Own, shelf: OwnShelf) -> None:
    """Use these cells, in place of those that this session used before."""
    shelf.forget(address.carried("own"))
    address.carry("own", shelf.put(own))


def stop_using(shelf: OwnShelf) -> None:
    """Use the model's own cells again. The file stays."""
    shelf.forget(address.carried("own"))
    address.carry("own", "")


def forget(shelf: OwnShelf) -> None:
    """Delete the upload, unless somebody else has brought the same file, and all that this session keeps of it."""
    found = shelf.draft(token_of_draft())
    shelf.forget(token_of_draft())
    stop_using(shelf)
    st.session_state[_DRAFT] = ""
    st.session_state[LISTED] = None
    pages.let_go_of_cells()
    if found is not None:
        for sha256 in shelf.give_up(found.sha256):
            uploads.forget(sha256)


def say(problem: str) -> None:
    st.session_state[_PROBLEM] = problem


def problem() -> str:
    """What went wrong with the last file. Said once; empty if nothing did."""
    return str(st.session_state.pop(_PROBLEM, ""))
