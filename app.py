"""The browser app: which pages there are; everything that a page needs lives in the page."""

import streamlit as st

import pages

st.navigation(
    [st.Page(page.file, title=page.title, default=page is pages.PAGES[0]) for page in pages.PAGES],
    # Pages draw their links themselves: also where a fresh server runs one of them without this file.
    position="hidden",
).run()
