"""The address: the parameters that a link needs to show the same view, and the last parameters of each page."""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

# What stays when the page changes: the user's own cells, the findings pinned for the report, the comparison's list.
CARRIED = ("own", "pins", "entries")
PASSING = ("present", "step")
_HERE, _ARRIVED, _SAID, _WHOLE, _WRITTEN = "_page", "_arrived", "_address", "_whole_address", "_written_keys"


def arrive(page: str) -> None:
    """Note which page runs, and copy the parameters of every page between the address and the session."""
    st.session_state[_ARRIVED] = st.session_state.get(_HERE) != page
    st.session_state[_HERE] = page
    for key in CARRIED:
        if key in st.query_params:
            st.session_state[f"_{key}"] = st.query_params[key]
        elif st.session_state.get(f"_{key}"):
            st.query_params[key] = st.session_state[f"_{key}"]
    others = {key: st.query_params[key] for key in st.query_params if key not in (*CARRIED, *PASSING)}
    if others or not st.session_state[_ARRIVED]:
        st.session_state.setdefault(_WHOLE, {})[page] = others


def here() -> str:
    """The title of the running page."""
    return str(st.session_state.get(_HERE, ""))


def carried(key: str) -> str:
    """The value of one of ``CARRIED``; empty if there is none."""
    return str(st.session_state.get(f"_{key}") or "")


def carry(key: str, value: str) -> None:
    """Set one of ``CARRIED`` for every page; an empty value removes it."""
    st.session_state[f"_{key}"] = value
    if value:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]


def link_to(page: str) -> dict[str, str | Iterable[str]]:
    """The parameters of a link to ``page`` as the user left it, and those that every page carries."""
    written = st.session_state.get(_WRITTEN, {}).get(page, set())
    others = {key: value for key, value in st.session_state.get(_WHOLE, {}).get(page, {}).items() if key not in written}
    return {**others, **said(page), **everywhere()}


def everywhere() -> dict[str, str]:
    """The parameters that every page carries."""
    return {key: carried(key) for key in CARRIED if carried(key)}


def read(keys: Sequence[str]) -> dict[str, str] | None:
    """The values of ``keys`` in the address if a link, or back and forward, changed them; None if this page wrote them.

    If the user returns to a page and its address is empty: the last values.
    """
    found = {key: st.query_params[key] for key in keys if st.query_params.get(key)}
    arrived = st.session_state.get(_ARRIVED, True) or here() not in st.session_state.get(_SAID, {})
    before = {key: value for key, value in said(here()).items() if key in keys}
    if arrived and not found:
        found = before
    if not arrived and found == before:
        return None
    _remember(here(), {**{key: value for key, value in said(here()).items() if key not in keys}, **found})
    st.session_state[_ARRIVED] = False
    return found


def write(values: Mapping[str, str]) -> None:
    """Put ``values`` into the address; empty values are removed."""
    kept = {key: value for key, value in values.items() if value}
    for key in set(values) - set(kept):
        st.query_params.pop(key, None)
    # All at once: otherwise each change would be a separate step for the browser's Back.
    if any(st.query_params.get(key) != value for key, value in kept.items()):
        st.query_params.update(kept)
    st.session_state.setdefault(_WRITTEN, {}).setdefault(here(), set()).update(values)
    _remember(here(), {**{key: value for key, value in said(here()).items() if key not in values}, **kept})


def said(page: str) -> dict[str, str]:
    """The last values that a page wrote."""
    return dict(st.session_state.get(_SAID, {}).get(page, {}))


def reset() -> None:
    """Make this page open as on a first visit."""
    for key in (*said(here()), "job"):
        st.query_params.pop(key, None)
    st.session_state.setdefault(_SAID, {}).pop(here(), None)


def _remember(page: str, values: Mapping[str, str]) -> None:
    st.session_state.setdefault(_SAID, {})[page] = dict(values)
