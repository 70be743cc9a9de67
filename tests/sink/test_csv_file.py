"""Tests of events as rows of CSV."""

from __future__ import annotations

import csv
import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edgecls import SinkError
from edgecls.sink import CsvSink
from edgecls.sink.csv_file import COLUMNS
from tests.run.world import event

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "id,kind,camera,region,label,score,start,end,duration_s,track_id,direction,counts,occupancy,model,file"


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_an_event_is_a_row_when_it_has_ended(tmp_path):
    """The beginning of an event writes nothing; its end writes a row with every column."""
    with CsvSink(tmp_path / "out.csv") as sink:
        sink.write_event(event(3, ended=False))
        assert rows(tmp_path / "out.csv") == []
        sink.write_event(event(3, counts={"car": 2, "bus": 1}, occupancy=0.25))
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == HEADER == ",".join(COLUMNS)
    (row,) = rows(tmp_path / "out.csv")
    assert ",".join(row.values()) == (
        f"{event(3).id},crossing,gate,entry,car,0.98,2025-11-22T15:03:10.000Z,2025-11-22T15:03:10.500Z,0.5,"
        '3,in,{"car": 2, "bus": 1},0.25,street,'
    )


def test_times_in_a_file_are_media_time(tmp_path):
    """Without wall clock times, start and end are seconds from the beginning of the video."""
    one = event(2)
    one = replace(one, start=one.start._replace(at_s=None, file="night.mp4"), end=one.end._replace(at_s=None), track_id=None)
    with CsvSink(tmp_path / "out.csv") as sink:
        sink.write_event(one)
    (row,) = rows(tmp_path / "out.csv")
    assert (row["start"], row["end"], row["track_id"], row["counts"], row["file"]) == ("2.000", "2.500", "", "", "night.mp4")


def test_a_second_run_goes_on_where_the_first_ended(tmp_path):
    """The header is written once, and an event that is delivered again is not written again."""
    for first in (0, 2):
        with CsvSink(tmp_path / "out.csv") as sink:
            for i in range(first, first + 4):
                sink.write_event(event(i))
                sink.write_event(event(i))
    assert [row["id"] for row in rows(tmp_path / "out.csv")] == [event(i).id for i in range(6)]


def test_an_incomplete_row_is_removed(tmp_path):
    """The rest of a row after a power cut is removed, and the event is written when it is delivered again."""
    path = tmp_path / "out.csv"
    with CsvSink(path) as sink:
        sink.write_event(event(0))
        sink.write_event(event(1))
    path.write_bytes(path.read_bytes()[:-20])
    with CsvSink(path) as sink:
        sink.write_event(event(1))
    assert [row["id"] for row in rows(path)] == [event(0).id, event(1).id]


def test_another_table_is_left_alone(tmp_path):
    """A file with other columns is an error that shows both, and stays unchanged."""
    (tmp_path / "out.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SinkError, match=r"out\.csv: has other columns \(a,b\) than expected \(id,kind,.*; name another file"):
        CsvSink(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize("name", ["Größe, 停", 'a "quoted"\nname', "caf\udce9", ""])
def test_any_name_is_a_field(tmp_path, name):
    """Names with commas, quotes and line breaks are read back unchanged; text that is not Unicode is escaped."""
    with CsvSink(tmp_path / "out.csv") as sink:
        sink.write_event(event(camera=name))
    (row,) = rows(tmp_path / "out.csv")
    assert row["camera"] == name.encode("utf-8", "backslashreplace").decode()


def test_a_partial_write_is_undone(tmp_path, monkeypatch):
    """If the disk accepts only a part of a row, that part is removed, and the error names the file and the reason."""
    write = os.write
    with CsvSink(tmp_path / "out.csv") as sink:
        sink.write_event(event(0))
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:10]))
        with pytest.raises(SinkError, match=r"out\.csv: cannot be written \(No space left on device\)"):
            sink.write_event(event(1))
        monkeypatch.undo()
        assert len(rows(tmp_path / "out.csv")) == 1
        sink.write_event(event(1))
    assert [row["id"] for row in rows(tmp_path / "out.csv")] == [event(0).id, event(1).id]


def write_until_it_fails(sink: CsvSink) -> None:
    """Write one event after another until that fails."""
    for number in range(1_000_000):
        sink.write_event(event(number))


def test_a_disk_that_fills_up_leaves_whole_rows(tmp_path):
    """On a full disk, each row is complete or missing; once there is room, events that are delivered again are written."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here ({done.stderr.strip() or 'mount failed'})")
    try:
        (folder / "other").write_bytes(b"\0" * 30_000)
        with CsvSink(folder / "out.csv") as sink:
            with pytest.raises(SinkError, match="cannot be written"):
                write_until_it_fails(sink)
            number = len(rows(folder / "out.csv"))
            assert number > 100
            assert (folder / "out.csv").read_bytes().endswith(b"\n")
            (folder / "other").unlink()
            sink.write_event(event(number))
        assert [row["id"] for row in rows(folder / "out.csv")] == [event(i).id for i in range(number + 1)]
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
