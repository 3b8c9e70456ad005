import csv
import io
from pathlib import Path

import pytest

from cnn_train.machine.csv_text import to_csv


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_text_is_quoted_where_rfc_4180_asks_for_it_and_lines_end_with_crlf() -> None:
    rows = [["a", 'b "q"'], ["c,d", "e\nf"], [None, 0.1]]
    assert to_csv(rows) == 'a,"b ""q"""\r\n"c,d","e\nf"\r\n,0.1\r\n'


@pytest.mark.parametrize("name", ["a,b", 'a"b', "a\nb", "a\r\nb", "a\rb", "ä 猫", " a ", "a'b"])
def test_names_of_any_letters_are_read_back_by_a_csv_reader(name: str) -> None:
    assert read(to_csv([[name, Path(name)]])) == [[name, name]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_what_begins_like_a_formula_is_no_formula_any_more(start: str) -> None:
    name = f"{start}1+1"
    assert read(to_csv([[name, Path(name)]])) == [[f"'{name}", f"./{name}"]]
    assert Path(f"./{name}") == Path(name)


def test_numbers_keep_their_sign_and_every_digit() -> None:
    assert to_csv([[-1.5, 1 / 3, -7]]) == f"-1.5,{1 / 3!r},-7\r\n"
