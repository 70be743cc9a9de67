"""The public names."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import edgecls


@pytest.mark.parametrize("name", [name for name in edgecls.__all__ if name != "__version__"])
def test_every_public_name_resolves_and_is_documented(name):
    """Each name of __all__ can be taken from the package, keeps that name, and has a docstring of its own."""
    found = getattr(edgecls, name)
    assert found.__name__ == name
    assert inspect.getdoc(found)
    assert found.__doc__


def test_a_name_that_is_not_public_is_an_attribute_error():
    """The message is Python's own."""
    with pytest.raises(AttributeError, match=r"^module 'edgecls' has no attribute 'nothing'$"):
        _ = edgecls.nothing


def test_dir_lists_the_public_names():
    """Completion in a shell shows them."""
    assert dir(edgecls) == sorted(edgecls.__all__)


def test_a_former_name_still_works():
    """Scripts for version 0.2.0 get the same class, and a warning that names the new one."""
    with pytest.warns(DeprecationWarning, match=r"edgecls\.Gate is called edgecls\.CountingLine now"):
        assert edgecls.Gate is edgecls.CountingLine


def test_type_checkers_see_every_public_name():
    """The stub is read by them as it is, and by the package at run time."""
    tree = ast.parse(Path(edgecls.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    typed = {alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == set(edgecls.__all__) - {"__version__"}
