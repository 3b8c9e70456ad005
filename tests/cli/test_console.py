import json

import pytest

from cnn_train.cli import console

Capture = pytest.CaptureFixture[str]


def test_a_document_is_all_that_stdout_gets_and_names_keep_their_letters(capsys: Capture) -> None:
    document = {"label": "[bold]кошка", "score": 0.1 + 0.2, "probability": None}
    console.print_json(document)
    written = capsys.readouterr()
    assert json.loads(written.out) == document
    assert written.err == ""


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_is_our_own_bug(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        console.print_json({"loss": number})


def test_talk_goes_to_stderr_as_it_is_and_on_one_line(capsys: Capture) -> None:
    long = "[red]a/b.yaml[/red]: " + 60 * "very " + "long"
    console.notice(long)
    console.warn(long)
    console.error(long)
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines() == [long, f"warning: {long}", f"error: {long}"]


def test_each_finding_of_an_error_is_a_line_of_its_own(capsys: Capture) -> None:
    console.error("c.yaml:1:1: one\nc.yaml:2:1: two")
    assert capsys.readouterr().err == "error: c.yaml:1:1: one\nerror: c.yaml:2:1: two\n"


def test_what_a_terminal_would_obey_is_spelled_out(capsys: Capture) -> None:
    name = "a\x1b[2J\x07\x9b\tкошка.png"
    for say in (console.notice, console.warn, console.error):
        say(name)
        assert r"a\x1b[2J\x07\x9b" in (written := capsys.readouterr().err)
        assert not {"\x1b", "\x07", "\x9b"} & set(written)
        assert "кошка.png" in written


def test_off_a_terminal_slow_work_is_announced_in_one_line(capsys: Capture) -> None:
    with console.progress("Decoding images", 3) as advance:
        for _ in range(3):
            advance(1)
    assert capsys.readouterr().err == "Decoding images …\n"
