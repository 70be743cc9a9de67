"""The shadow model in the text of a cameras.toml: started and stopped, with everything else as it was."""

from __future__ import annotations

import tomllib

import pytest

from edgecls.errors import ConfigError
from edgecls.web.config.shadow_text import with_shadow

HEAD = '# the yard\nmodel = "m.onnx" # measured\n'
CAMERA = '\n[[camera]]\nname = "gate" # by the road\nsource = 0\n\n# the end\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD + CAMERA, HEAD + CAMERA + '\n[shadow]\nmodel = "n.onnx"\n'),
        (HEAD + 'shadow = "o.onnx" # tried\n' + CAMERA, HEAD + 'shadow = "n.onnx" # tried\n' + CAMERA),
        (
            HEAD + 'shadow = { model = "o.onnx", share = 0.5 } # tried\n' + CAMERA,
            HEAD + 'shadow = { model = "n.onnx", share = 0.5 } # tried\n' + CAMERA,
        ),
        (
            HEAD + '\n# a shadow\n[shadow]\nshare = 1.0 # all\nmodel = "o.onnx"\n\n[shadow.trial]\nframes = 9\n' + CAMERA,
            HEAD + '\n# a shadow\n[shadow]\nshare = 1.0 # all\nmodel = "n.onnx"\n\n[shadow.trial]\nframes = 9\n' + CAMERA,
        ),
        (
            'shadow.model = "o.onnx"\nshadow.share = 0.5\n' + CAMERA,
            'shadow.model = "n.onnx"\nshadow.share = 0.5\n' + CAMERA,
        ),
        ('model = "m.onnx"\n[[camera]]\nname = "gate"\nsource = 0', None),
    ],
)
def test_it_is_started_and_nothing_else_changes(before, after):
    """Whatever way it is written in; comments and other settings stay."""
    found = with_shadow(before, "n.onnx")
    assert after is None or found == after
    assert with_shadow(found, "n.onnx") == found
    stopped = with_shadow(found, None)
    expected = tomllib.loads(before)
    expected.pop("shadow", None)
    assert tomllib.loads(stopped) == expected
    assert "# the end" in stopped or "# the end" not in before


def test_what_only_its_author_can_change_is_refused():
    """Something else than a shadow, and a name that would be read as a variable."""
    with pytest.raises(ConfigError, match="change it in the file"):
        with_shadow("[[shadow]]\nshare = 1.0\n" + CAMERA, "n.onnx")
    with pytest.raises(ConfigError, match="read as a variable"):
        with_shadow(HEAD + CAMERA, "${HOME}/n.onnx")


def test_without_a_shadow_there_is_nothing_to_stop():
    """The text stays as it is."""
    assert with_shadow(HEAD + CAMERA, None) == HEAD + CAMERA
