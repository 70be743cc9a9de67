"""What edgecls raises on purpose."""

from __future__ import annotations

import pytest

from edgecls import errors
from edgecls.errors import EdgeclsError, MissingExtraError, redact


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("DataError", ValueError),
        ("ConfigError", ValueError),
        ("ModelError", ValueError),
        ("TrainError", ArithmeticError),
        ("WorkerError", ConnectionError),
        ("ExportError", RuntimeError),
        ("DeviceError", RuntimeError),
        ("SourceError", OSError),
        ("SinkError", OSError),
        ("BusyError", OSError),
        ("RefusedError", OSError),
        ("MissingExtraError", ImportError),
    ],
)
def test_every_error_is_ours_and_a_builtin(name, builtin):
    """A caller who knows nothing of edgecls catches each error where it would be caught anyway."""
    kind = getattr(errors, name)
    assert issubclass(kind, EdgeclsError)
    assert issubclass(kind, builtin)


def test_a_message_is_one_line():
    """Line breaks and runs of blanks in what an error quotes become single blanks."""
    assert str(EdgeclsError("first\n  second\tthird")) == "first second third"


def test_a_missing_extra_names_the_command():
    """The message is one sentence with the package, the purpose and the pip command."""
    error = MissingExtraError("keras", "train", "Training")
    assert str(error) == "Training needs keras, which is not installed: pip install 'edgecls[train]'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://admin:s3cret@10.0.0.2/ch1", "rtsp://***@10.0.0.2/ch1"),
        ("http://token@host/x", "http://***@host/x"),
        ("RTSP://A:B@host", "RTSP://***@host"),
        ("http://h/v?user=a&password=b&x=1", "http://h/v?user=a&password=***&x=1"),
        ("http://h/v?api=1&token=abc", "http://h/v?api=1&token=***"),
        ("https://h/v#secret=whsec_a+b/c=", "https://h/v#secret=***"),
        ("mqtts://u:p@h:8883/x", "mqtts://***@h:8883/x"),
        ("a rtsp://u:p@h/1 and rtsp://u:q@h/2", "a rtsp://***@h/1 and rtsp://***@h/2"),
        ("plain text, a@b", "plain text, a@b"),
        ("http://host/path?size=3", "http://host/path?size=3"),
    ],
)
def test_redact_hides_user_password_and_secrets_of_urls(text, expected):
    """The user, the password and secret query values of every URL become ***; the rest stays."""
    assert redact(text) == expected


def test_an_error_never_shows_a_password():
    """A URL that an error quotes comes out without its password."""
    assert "s3cret" not in str(EdgeclsError("rtsp://admin:s3cret@cam: no answer"))


@pytest.mark.parametrize("url", ["rtsp://admin:p/w@cam/1", "rtsp://admin:p@w@cam/1", "rtsp://admin:pa'ss@cam/1"])
def test_a_password_with_odd_characters_is_hidden_too(url):
    """A slash, an at sign or a quote in a password, as cameras allow them, does not let the rest of it out."""
    assert redact(url) == "rtsp://***@cam/1"
