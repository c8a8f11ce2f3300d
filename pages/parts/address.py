"""The address: what a link must carry so that it shows the same view, and what each page said last."""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

# Tokens of things that outlive a page: the user's own cells, the findings pinned for the report, a presentation.
CARRIED = ("own", "pins")
_HERE, _ARRIVED, _SAID = "_page", "_arrived", "_address"


def arrive(page: str) -> None:
    """Say which page runs, and bring what belongs to every page into the address or out of it."""
    st.session_state[_ARRIVED] = st.session_state.get(_HERE) != page
    st.session_state[_HERE] = page
    for key in CARRIED:
        if key in st.query_params:
            st.session_state[f"_{key}"] = st.query_params[key]
        elif st.session_state.get(f"_{key}"):
            st.query_params[key] = st.session_state[f"_{key}"]


def carried(key: str) -> str:
    """One of ``CARRIED``; empty where there is none."""
    return str(st.session_state.get(f"_{key}") or "")


def carry(key: str, value: str) -> None:
    """Set one of ``CARRIED`` for every page; an empty value removes it."""
    st.session_state[f"_{key}"] = value
    if value:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]


def link_to(page: str) -> dict[str, str | Iterable[str]]:
    """The parameters of a link to ``page``: what it said last, and what every page carries."""
    everywhere = {key: carried(key) for key in CARRIED if carried(key)}
    return {**said(page), **everywhere}


def read(keys: Sequence[str]) -> dict[str, str] | None:
    """What the address says of ``keys`` when a link, or back and forward, changed it; None while it says our own.

    On a page come back to whose address is empty: what it said last.
    """
    here = st.session_state.get(_HERE, "")
    found = {key: st.query_params[key] for key in keys if st.query_params.get(key)}
    arrived = st.session_state.get(_ARRIVED, True) or here not in st.session_state.get(_SAID, {})
    before = {key: value for key, value in said(here).items() if key in keys}
    if arrived and not found:
        found = before
    if not arrived and found == before:
        return None
    _remember(here, {**{key: value for key, value in said(here).items() if key not in keys}, **found})
    st.session_state[_ARRIVED] = False
    return found


def write(values: Mapping[str, str]) -> None:
    """Put ``values`` into the address, and leave out what is empty."""
    kept = {key: value for key, value in values.items() if value}
    for key in set(values) - set(kept):
        st.query_params.pop(key, None)
    # At once: each change by itself would be a step of its own for the browser's Back.
    if any(st.query_params.get(key) != value for key, value in kept.items()):
        st.query_params.update(kept)
    here = st.session_state.get(_HERE, "")
    _remember(here, {**{key: value for key, value in said(here).items() if key not in values}, **kept})


def write_for(page: str, values: Mapping[str, str]) -> None:
    """Put ``values`` into what ``page`` said last; into the address too while that page is here."""
    if st.session_state.get(_HERE) == page:
        write(values)
        return
    _remember(page, {key: value for key, value in {**said(page), **values}.items() if value})


def said(page: str) -> dict[str, str]:
    """What a page said last."""
    return dict(st.session_state.get(_SAID, {}).get(page, {}))


def reset() -> None:
    """Let this page open as on the first visit."""
    here = st.session_state.get(_HERE, "")
    for key in (*said(here), "job"):
        if key in st.query_params:
            del st.query_params[key]
    st.session_state.setdefault(_SAID, {}).pop(here, None)


def _remember(page: str, said: Mapping[str, str]) -> None:
    st.session_state.setdefault(_SAID, {})[page] = dict(said)
