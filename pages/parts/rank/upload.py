"""Lists from a text file, put into the boxes of the Rank page: genes to raise or to lower, candidates."""

import csv

import streamlit as st

from pages import plain

LONGEST_LIST, LARGEST_FILE = 4_000, 200_000
CANDIDATES = "list"
LISTS = ("raise", "lower", CANDIDATES)
HEADING, BETWEEN = "perturbation", ",;\t"
_WRONG_FILE, _UPLOADS = "_rank_wrong_file", "_rank_uploads"


def offer_file(name: str, label: str) -> None:
    """Fill the box of the list ``name`` from a file, whose text alone is kept."""
    version = st.session_state.setdefault(_UPLOADS, 0)
    with st.popover("From a text file", icon=":material/upload_file:", key=f"file-of-{name}"):
        key = f"rank-upload-{name}-{version}"
        st.file_uploader(f"{label}: a text file", key=key, on_change=take_file, args=(name, key))
    if problem := st.session_state.pop(f"{_WRONG_FILE}-{name}", ""):
        st.error(plain(problem), icon=":material/error:")


def take_file(name: str, key: str) -> None:
    """Put what an uploaded file lists into the box, or say why it cannot be."""
    upload = st.session_state.get(key)
    if upload is None:
        return
    st.session_state[_UPLOADS] += 1
    text, problem = text_of(name, upload.name, upload.getvalue())
    st.session_state[f"{_WRONG_FILE}-{name}"] = problem
    if not problem:
        st.session_state[f"rank_{name}"] = text


def text_of(name: str, file: str, content: bytes) -> tuple[str, str]:
    """The text for the box of the list ``name``, and what is wrong with the ``file``, of which one is empty."""
    what = "candidate" if name == CANDIDATES else "gene"
    if len(content) > LARGEST_FILE:
        return "", f"{file} is larger than {LARGEST_FILE // 1000} kB. Save only the names, as text."
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return "", f"{file} is not plain text. Save the list as text, one {what} a line."
    try:
        listed = candidates_in(text) if name == CANDIDATES else []
    except csv.Error:
        return "", f"{file} is not a readable csv. Save the list as text, one {what} a line."
    text = "\n".join(listed) if name == CANDIDATES else " ".join(text.split())
    if not text:
        return "", f"{file} is empty. Save the names as text, one {what} a line."
    if len(text) > LONGEST_LIST:
        return "", f"{file} names too many {what}s for one list ({LONGEST_LIST:,} letters fit)."
    return text, ""


def candidates_in(text: str) -> list[str]:
    """The column ``perturbation`` of a csv that has one, else every line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    between = max(BETWEEN, key=lines[0].count)
    heads = [head.strip().strip('"').casefold() for head in lines[0].split(between)]
    if HEADING not in heads:
        return lines
    place = heads.index(HEADING)
    rows = csv.reader(lines[1:], delimiter=between)
    return [row[place].strip() for row in rows if len(row) > place and row[place].strip()]


def forget_complaints() -> None:
    """Forget messages about files of an earlier visit: they do not belong to another model."""
    for name in LISTS:
        st.session_state.pop(f"{_WRONG_FILE}-{name}", None)
