"""Tests of reading CSV tables in all usual dialects."""

from __future__ import annotations

import pytest

from edgecls.dataset.csv_table import read_table
from edgecls.errors import DataError

ROWS = [{"file_name": "a.png", "class": "x"}, {"file_name": "b c.png", "class": "y"}]


@pytest.mark.parametrize(
    "text",
    [
        "File Name,CLASS\na.png,x\nb c.png,y\n",
        "file-name;class\r\na.png;x\r\nb c.png;y",
        " File_Name \t class \na.png\tx\n b c.png \ty\n",
        "\ufefffile_name,class\na.png,x\nb c.png,y\n",
        "sep=;\nfile_name;class\na.png;x\nb c.png;y\n",
        "sep=\t\r\n\r\nfile_name\tclass\na.png\tx\nb c.png\ty\n",
        '"file_name","class"\n"a.png","x"\n"b c.png", "y"\n',
        "\n\nfile_name,class\n\na.png,x\n,\nb c.png,y\n\n,,\n \n",
        "file_name,class,\na.png,x,\nb c.png,y,,\n",
    ],
    ids=["plain", "semicolons and crlf", "tabs and blanks", "mark", "excel", "excel tabs", "quotes", "blank rows", "trailing"],
)
def test_tables_are_read_as_they_are_written(tmp_path, text):
    """The rows are the same for every delimiter, line ending and quoting, with or without blanks around the cells."""
    (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
    found = [{name: cell for name, cell in row.cells.items() if name} for row in read_table(tmp_path / "t.csv").rows]
    assert found == ROWS


def test_rows_know_their_line(tmp_path):
    """Blank lines and line breaks within quotes count."""
    (tmp_path / "t.csv").write_text('file,class\n\na.png,"two\nlines"\nb.png,y\n')
    assert [(row.line, row.cells["class"]) for row in read_table(tmp_path / "t.csv").rows] == [(4, "two\nlines"), (5, "y")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"file,class\na.png,x\nb,c.png,y\n",
            r"t\.csv:3: expected 2 cells, found 3; put a cell that contains a delimiter in quotes",
        ),
        (
            b'file,class\na.png,"' + b"x" * 200_000,
            r"t\.csv:2: not a row of a CSV table \(field larger .*\); check its quotes",
        ),
        (b"file,class\na.png,\xfc\n", r"t\.csv:2: expected text in UTF-8, found the byte 0xfc"),
        (b"file,class\na.png,\0\n", r"t\.csv:2: expected text, found a null byte"),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(tmp_path, content, message):
    """An unquoted delimiter, an unclosed quote, Latin-1, a null byte."""
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / "t.csv")
