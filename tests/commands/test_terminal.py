"""What the commands say, whatever stands in the names of a file."""

from primeflow_core.__main__ import main
from primeflow_core.commands.terminal import note, say


def test_what_steers_a_terminal_is_shown_and_not_obeyed(capsys):
    for tell in (say, note):
        tell("A\x1b]0;title\x07+B\x9b2J\u202e\r\ud800")
    told = capsys.readouterr()
    assert told.out == told.err == r"A\x1b]0;title\x07+B\x9b2J\u202e\r\ud800" + "\n"


def test_all_other_text_stays_as_it_is(capsys):
    text = "5 %, −1 × 2 … † naïve 細胞 🧬\n\tx"
    say(text)
    assert capsys.readouterr().out == text + "\n"


def test_a_refusal_steers_no_terminal_either(capsys):
    assert main(["check", "no\x1b[2Jsuch.h5ad"]) == 2
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert r"no\x1b[2Jsuch.h5ad" in told
