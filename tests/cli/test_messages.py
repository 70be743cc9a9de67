"""Tests of messages of the library on the command line."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from edgecls.cli import messages
from edgecls.cli.entry import app


@pytest.fixture(autouse=True)
def options():
    """Set the options of a command, and forget them afterwards."""
    messages.use_options(
        {"max_drop": "--max-drop", "color": "--color", "as_json": "--json", "augment_rotation_deg": "--augment-rotation"}
    )
    yield
    messages.use_options({})


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("allow more with `max_drop`", "allow more with --max-drop"),
        ("expected `color=gray|rgb|bgr`", "expected --color gray|rgb|bgr"),
        ("stronger `augment.rotation_deg`", "stronger --augment-rotation"),
        ("see `edgecls.image` and `a.`", "see `edgecls.image` and `a.`"),
        ("`color`, `as_json` or `size`", "--color, --json or `size`"),  # other settings stay unchanged
        ("a folder called `my pictures`", "a folder called `my pictures`"),
        ("color `", "color `"),
    ],
)
def test_a_setting_is_printed_as_the_option_of_the_command(capsys, line, printed):
    """The library names the settings of its functions, and the command line prints its options."""
    messages.say(line)
    assert capsys.readouterr().err == f"{printed}\n"


def test_each_command_names_its_own_options():
    """The options of other commands are forgotten."""
    CliRunner().invoke(app, ["info", "no-such.onnx"])
    assert messages.with_options("`max_drop` `as_json`") == "`max_drop` --json"
