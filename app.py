"""The browser app: the order and titles of its pages; everything that a page needs lives in the page."""

import streamlit as st

st.navigation(
    [
        st.Page(
            "pages/explore.py",
            title="Explore a response",
            help="Choose a perturbation; see the predicted cells beside the measured ones, and how far to trust them.",
            default=True,
        ),
    ]
).run()
