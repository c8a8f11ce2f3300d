"""Notebooks: order, notes, the same view twice, and what happens when there is no more room."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from primeflow_core.report.pinned_findings import LONGEST_NOTE, TITLE, NotebookFullError, Notebooks
from tests.pinned import finding


def titles(books: Notebooks, token: str) -> list[str]:
    return [found.title for found in books.findings(token)]


@pytest.fixture
def books() -> Notebooks:
    return Notebooks(most_findings=3)


def test_findings_are_found_again_by_their_token_alone(books):
    mine, yours = books.start(), books.start()
    books.add(mine, finding("First."), "view")
    assert titles(books, mine) == ["First."]
    assert books.findings(yours) == books.findings("guessed") == ()
    assert books.holds(mine, "view")
    assert not books.holds(yours, "view")
    assert len(mine) >= 20
    assert not books.knows("guessed")


def test_asking_does_not_make_a_notebook(books):
    books.write("guessed", "id", "note")
    books.move("guessed", "id", 1)
    books.call("guessed", "title")
    assert not books.knows("guessed")


def test_the_same_view_again_takes_its_place_and_keeps_the_note(books):
    token = books.start()
    books.add(token, finding("First."))
    books.add(token, finding("Second."))
    first = books.findings(token)[0]
    books.write(token, first.id, "Ask Ana.")
    books.add(token, finding("First."))
    assert titles(books, token) == ["First.", "Second."]
    assert books.findings(token)[0].note == "Ask Ana."


def test_moving_stops_at_the_ends(books):
    token = books.start()
    for title in ("1", "2", "3"):
        books.add(token, finding(title))
    first = books.findings(token)[0].id
    books.move(token, first, 1)
    assert titles(books, token) == ["2", "1", "3"]
    books.move(token, first, 9)
    assert titles(books, token) == ["2", "3", "1"]
    books.move(token, first, -9)
    assert titles(books, token) == ["1", "2", "3"]
    books.move(token, "never", 1)


def test_what_was_removed_can_be_added_again(books):
    token = books.start()
    books.add(token, finding("1"), "view")
    books.remove(token, books.findings(token)[0].id)
    assert not books.holds(token, "view")
    books.remove(token, "never")
    books.add(token, finding("1"), "view")
    assert books.holds(token, "view")


def test_a_full_notebook_says_what_to_do_and_still_replaces(books):
    token = books.start()
    for title in ("1", "2", "3"):
        books.add(token, finding(title))
    with pytest.raises(NotebookFullError, match=r"holds 3 findings.*Remove one"):
        books.add(token, finding("4"))
    books.add(token, finding("2", note="new"))
    assert titles(books, token) == ["1", "2", "3"]


def test_one_notebook_never_outgrows_the_bytes():
    books = Notebooks(most_bytes=finding("1").nbytes + 10)
    token = books.start()
    books.add(token, finding("1"))
    with pytest.raises(NotebookFullError, match="MB"):
        books.add(token, finding("2"))
    assert titles(books, token) == ["1"]


def test_the_notebook_longest_unused_makes_room():
    books = Notebooks(most_bytes=int(2.5 * finding("1").nbytes))
    old, middle, new = books.start(), books.start(), books.start()
    for token in (old, middle):
        books.add(token, finding("1"))
    books.findings(old)
    books.add(new, finding("1"))
    assert [books.knows(token) for token in (old, middle, new)] == [True, False, True]


def test_empty_notebooks_are_bounded_too():
    books = Notebooks(most_notebooks=2)
    tokens = [books.start() for _ in range(3)]
    assert [books.knows(token) for token in tokens] == [False, True, True]


def test_title_and_note_are_cut_to_length(books):
    token = books.start()
    books.add(token, finding("1"))
    books.call(token, "  Lab \n meeting ")
    assert books.title(token) == "Lab meeting"
    books.call(token, "  ")
    assert books.title(token) == TITLE
    books.write(token, books.findings(token)[0].id, "x" * (LONGEST_NOTE + 1))
    assert len(books.findings(token)[0].note) == LONGEST_NOTE


@pytest.mark.slow
def test_many_threads_lose_nothing():
    books = Notebooks(most_findings=200)
    token = books.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: books.add(token, finding(str(i))), range(100)))
    assert sorted(map(int, titles(books, token))) == list(range(100))
