"""Rankings that came with a model, one click away from where a question is not answered yet."""

import streamlit as st

from pages import plain
from pages.parts.rank import answer
from pages.parts.rank.sidebar import RANKED, open_on
from primeflow_core.model_store.local_models import Model
from primeflow_core.report.ranking_link import address_of
from primeflow_core.report.ranking_words import heading

NOUNS = {"pairs": "pairs", "singles": "perturbations"}


def offer_shipped(model: Model) -> None:
    """A button for each, which fills the sidebar with its question."""
    found = {name: address_of(one) for name, one in answer.shipped(model).items()}
    known = {name: said for name, said in found.items() if said}
    if not known:
        return
    simulated = "SIMULATED data. " if model.manifest.simulated else ""
    st.caption(f"{simulated}These rankings came with the model:")
    with st.container(horizontal=True, key="shipped-rankings"):
        for name, said in known.items():
            screen = answer.shipped(model)[name]
            st.button(
                plain(heading(screen.goal, NOUNS[said["rank"]])), key=f"shipped-{name}", on_click=open_on,
                args=(model, said), help=f"{RANKED[said['rank']]} of {plain(said.get('context', 'the data'))}.",
            )  # fmt: skip
