"""Files whole or not at all."""

from __future__ import annotations

import errno

import pytest

from edgecls.errors import SinkError, SourceError
from edgecls.files import whole_file


def test_a_file_appears_when_the_block_ends(tmp_path):
    """Inside the block the name does not exist; after it the content is there and nothing else."""
    target = tmp_path / "a.bin"
    with whole_file(target) as path:
        path.write_bytes(b"new")
        assert path.suffix == ".bin"
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path, kind):
    """A failure or a Ctrl-C in the middle leaves the earlier file and no rest."""
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def half():
        with whole_file(target) as path:
            path.write_bytes(b"half")
            raise kind

    with pytest.raises(kind):
        half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path):
    """The system's word and the file; an error of ours that is an OSError too is passed on as it is."""
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def fails(error):
        with whole_file(target) as path:
            path.write_bytes(b"half")
            raise error

    with pytest.raises(
        SinkError, match=r"a\.bin: cannot be written \(No space left on device\); what stood there before is kept"
    ):
        fails(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(SourceError, match=r"^a camera$"):
        fails(SourceError("a camera"))
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
