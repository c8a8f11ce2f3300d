"""The browser app: which pages there are; everything that a page needs lives in the page."""

import streamlit as st

import pages

first, *_ = pages.PAGES
st.navigation(
    [
        st.Page(first.file, title=first.title, url_path="start", default=True),
        # The first page has no name in its address; links that name it are to work all the same.
        *(st.Page(page.file, title=page.title, url_path=page.name) for page in pages.PAGES),
    ],
    # Pages draw their links themselves: also where a fresh server runs one of them without this file.
    position="hidden",
).run()
