"""The report page and lab-meeting mode without a browser: pinning, notes, order, steps, and no way in without out."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

import pages
from primeflow_core.report.finding import Finding
from primeflow_core.report.pinned_findings import Notebooks
from tests import app as tested
from tests.pinned import finding


@pytest.fixture
def books() -> Iterator[Notebooks]:
    pages.notebooks.clear()
    yield pages.notebooks()
    pages.notebooks.clear()


@pytest.fixture
def token(books: Notebooks) -> str:
    """A notebook of two findings."""
    started = books.start()
    books.add(started, finding("First: 3 genes up."))
    books.add(started, finding("Second: 2 genes *down*.", labels=("SIMULATED data", "PREDICTED 9 cells")))
    return started


def opened(**address: str) -> AppTest:
    app = tested.opened("pages/report.py", **address)
    assert not app.exception
    return app


def headings(app: AppTest) -> list[str]:
    return [unescaped(heading.value) for heading in (*app.header, *app.subheader)]


def unescaped(text: object) -> str:
    return str(text).replace("\\", "").replace("\N{ZERO WIDTH SPACE}", "")


def said(app: AppTest, key: str) -> str:
    """One parameter of the address."""
    value = app.query_params[key]
    return value if isinstance(value, str) else value[0]


def badges(app: AppTest) -> str:
    return unescaped(" ".join(str(line.value) for line in app.markdown))


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def test_an_empty_report_says_how_to_begin(books):
    app = opened()
    assert any("press Add to report" in text.value for text in app.text)
    assert not app.warning
    assert not app.button


def test_a_link_to_a_report_that_is_gone_says_so(books):
    assert "no longer here" in opened(pins="of-yesterday").warning[0].value
    assert not books.knows("of-yesterday")


def test_a_page_loaded_again_finds_its_findings(token):
    assert headings(opened(pins=token)) == ["Report", "1. First: 3 genes up.", "2. Second: 2 genes *down*."]
    app = opened(pins=token)
    assert "SIMULATED data" in badges(app)
    assert "MEASURED 97 cells" in badges(app)


def test_findings_move_and_go(books, token):
    app = opened(pins=token)
    first, second = (found.id for found in books.findings(token))
    assert app.button(key=f"up-{first}").disabled
    press(app, f"down-{first}")
    assert headings(app)[1:] == ["1. Second: 2 genes *down*.", "2. First: 3 genes up."]
    press(app, f"remove-{second}")
    press(app, f"remove-{first}")
    assert any("Nothing is pinned yet" in text.value for text in app.text)


def test_notes_and_title_are_kept(books, token):
    app = opened(pins=token)
    app.text_area[0].set_value("Ask Ana <b>").run()
    app.text_input[0].set_value("Lab meeting").run()
    again = opened(pins=token)
    assert again.text_area[0].value == "Ask Ana <b>"
    assert again.text_input[0].value == "Lab meeting"
    assert books.findings(token)[0].note == "Ask Ana <b>"


def test_a_note_stays_with_its_finding_when_it_moves(books, token):
    app = opened(pins=token)
    app.text_area[0].set_value("of the first").run()
    press(app, f"down-{books.findings(token)[0].id}")
    assert [area.value for area in app.text_area] == ["", "of the first"]


def test_everything_can_be_saved(token):
    labels = [button.proto.label for button in opened(pins=token).get("download_button")]
    assert labels == ["Report (html)", "Tables (csv)", "Methods (txt)", "Everything (zip)"]


def test_a_presentation_goes_through_all_figures_and_back(token):
    app = press(opened(pins=token), "start-presenting")
    assert headings(app) == ["First: 3 genes up."]
    assert app.button(key="back").disabled
    assert any(text.value == "1 of 2" for text in app.text)
    press(app, "next")
    assert headings(app) == ["Second: 2 genes *down*."]
    assert said(app, "step") == "2"
    assert "SIMULATED data" in badges(app)
    assert app.button(key="next").disabled
    press(app, "page-up")
    assert headings(app) == ["First: 3 genes up."]
    press(app, "end")
    assert headings(app)[0] == "Report"
    assert "present" not in app.query_params
    assert "step" not in app.query_params


@pytest.mark.parametrize(("step", "shown"), [("2", "2 of 2"), ("99", "2 of 2"), ("0", "1 of 2"), ("²", "1 of 2")])
def test_any_step_in_the_address_leads_somewhere(token, step, shown):
    app = opened(pins=token, present="1", step=step)
    assert any(text.value == shown for text in app.text)
    press(app, "end")
    assert headings(app)[0] == "Report"


def test_presenting_nothing_can_be_ended(books):
    app = opened(present="1")
    assert headings(app) == ["There is nothing to present yet."]
    press(app, "end")
    assert headings(app) == ["Report"]


def test_controls_are_hidden_by_style_without_data(token):
    styles = [html.proto.body for html in opened(pins=token, present="1").get("html")]
    assert any("stSidebar" in style for style in styles)
    assert not any("First" in style for style in styles)


def pinning_page() -> None:
    import streamlit as st

    from pages.parts import address
    from pages.parts.shared.pinning import offer_pin
    from tests.pages.test_report import refused
    from tests.pinned import finding

    address.arrive("Explore")
    title = st.query_params.get("view", "One.")
    offer_pin(refused if title == "bad" else lambda: finding(title, f"explore?view={title}"), title)


def refused() -> Finding:
    from primeflow_core.errors import DataError

    raise DataError("The figure 'Map' *cannot* be kept.")


def test_a_view_is_pinned_once_and_counted(books):
    app = AppTest.from_function(pinning_page).run()
    assert "pins" not in app.query_params
    press(app, "pin-One.")
    token = said(app, "pins")
    assert [found.title for found in books.findings(token)] == ["One."]
    assert not app.button
    assert [link.proto.label for link in app.get("link_button")] == ["In the report (1)"]
    app.query_params["view"] = "Two."
    press(app.run(), "pin-Two.")
    assert len(books.findings(token)) == 2
    assert [link.proto.label for link in app.get("link_button")] == ["In the report (2)"]


def test_pinning_into_a_notebook_that_is_gone_begins_a_new_one(books):
    app = AppTest.from_function(pinning_page)
    app.query_params["pins"] = "of-yesterday"
    press(app.run(), "pin-One.")
    token = said(app, "pins")
    assert token != "of-yesterday"
    assert len(books.findings(token)) == 1


def test_a_refusal_is_shown_and_the_button_stays(books):
    app = AppTest.from_function(pinning_page)
    app.query_params["view"] = "bad"
    press(app.run(), "pin-bad")
    assert "cannot" in app.warning[0].value
    assert app.button(key="pin-bad")
    assert not app.run().warning
