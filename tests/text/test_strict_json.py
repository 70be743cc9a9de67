"""JSON that every program can read."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from edgecls.text.strict_json import dumps, loads
from tests.test_layers import PACKAGE


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), float("1e999")])
def test_a_number_that_is_none_is_null(value):
    """Wherever it stands: alone, in a list, in a table within a tuple."""
    assert dumps(value) == "null"
    assert dumps({"a": [1.5, value], "b": ({"c": value},)}) == '{"a": [1.5, null], "b": [{"c": null}]}'


def test_what_utf_8_cannot_hold_is_escaped():
    """The name of a file that is not Unicode can be written, and JSON reads it back as it was."""
    text = dumps({"file": "gr\udcfcn ü"})
    assert text.encode("utf-8")
    assert json.loads(text) == {"file": "gr\udcfcn ü"}


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "[-Infinity]", "1e999", "[" * 100_000, "9" * 5000, "", "{", "\0"])
def test_what_is_no_json_is_a_value_error(text):
    """Python's words for it, numbers that no float can hold, nesting without end, and text that is none."""
    with pytest.raises(ValueError):  # noqa: PT011 - whoever reads adds what and where
        loads(text)


def test_json_is_written_and_read_in_one_place():
    """The rest of the package imports it, so no NaN leaves it; what Keras wrote is read and written as Keras does."""
    users = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if "import json" in path.read_text()}
    assert users <= {"text/strict_json.py", "sink/delivery/spool.py", "model/vet/keras.py"}
