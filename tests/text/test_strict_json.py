"""Strict JSON, which every program can read."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from edgecls.text.strict_json import dumps, loads
from tests.test_layers import PACKAGE


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), float("1e999")])
def test_nan_and_infinity_become_null(value):
    """Alone, in a list, and in a dict inside a tuple."""
    assert dumps(value) == "null"
    assert dumps({"a": [1.5, value], "b": ({"c": value},)}) == '{"a": [1.5, null], "b": [{"c": null}]}'


def test_characters_that_utf_8_cannot_encode_are_escaped():
    """A file name that is not valid Unicode can be written, and is read back unchanged."""
    text = dumps({"file": "gr\udcfcn ü"})
    assert text.encode("utf-8")
    assert json.loads(text) == {"file": "gr\udcfcn ü"}


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "[-Infinity]", "1e999", "[" * 100_000, "9" * 5000, "", "{", "\0"])
def test_invalid_json_is_a_value_error(text):
    """Python's NaN and Infinity, numbers beyond the range of a float, endless nesting, and text that is not JSON."""
    with pytest.raises(ValueError):  # noqa: PT011 - the caller adds the file and the reason
        loads(text)


def test_json_is_written_and_read_in_one_place():
    """All other modules import it, so none writes NaN; files of Keras are read and written as Keras does."""
    users = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if "import json" in path.read_text()}
    assert users <= {"text/strict_json.py", "sink/delivery/spool.py", "model/vet/keras.py"}


def test_a_text_from_outside_may_have_a_limit():
    """So many characters, and no more; without a limit any number."""
    assert loads("[1, 2]", most=6) == [1, 2]
    assert loads("[1, 2]") == [1, 2]
    with pytest.raises(ValueError, match=r"it has 6 characters, expected at most 5"):
        loads("[1, 2]", most=5)
