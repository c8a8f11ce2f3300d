"""The browser app: the list of its pages. Each page holds all that it needs."""

import streamlit as st

import pages

first, *_ = pages.PAGES
st.navigation(
    [
        st.Page(first.file, title=first.title, url_path="start", default=True),
        # The first page has no name in its address. A link that names it must work too.
        *(st.Page(page.file, title=page.title, url_path=page.name) for page in pages.PAGES),
    ],
    # Pages draw their own links, because a fresh server may run one of them without this file.
    position="hidden",
).run()
