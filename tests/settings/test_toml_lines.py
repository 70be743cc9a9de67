"""The line of each setting, in files whose multi-line strings and lists contain text that looks like tables and keys."""

from __future__ import annotations

import tomllib

import pytest

from edgecls.settings.toml_lines import line_of

TEXT = '''\
about = """
[camera]
name = "not this"
enter = 0.1 # and "quotes", \\""" and [[camera]]
"""
note = \'\'\'[x]
fps = 3
# it's no comment \'\'\'
odd = """ends with quotes"""""
# a comment with """ and [ and '
labels = [
    "a", # ]
    "enter = 1",
    """
enter = 2
]
""",
    [ "x" ],
]
enter = 0.7
"quoted key" = "a ] b # c"

[camera] # the [real] one
name = "gate"
state.enter = 0.5
area = [[0.1, 0.2],
  [0.3, 0.4]]
rule = {enter = 0.2, words = [
  "leave = 1",
]}
leave = 0.4

[[zone]]
name = "one"
[[zone]]
note = """
[[zone]]
name = 1"""
name = "two"
'''
TABLE = tomllib.loads(TEXT)


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        ("about", "about ="),
        ("note", "note = '''"),
        ("odd", "odd ="),
        ("labels", "labels ="),
        ("labels[1]", "labels ="),
        ("enter", "enter = 0.7"),
        ("quoted key", '"quoted key"'),
        ("camera", "[camera] #"),
        ("camera.name", 'name = "gate"'),
        ("camera.state.enter", "state.enter"),
        ("camera.area[1][0]", "area ="),
        ("camera.rule.enter", "rule ="),
        ("camera.leave", "leave = 0.4"),
        ("zone[0].name", 'name = "one"'),
        ("zone[1].note", 'note = """'),
        ("zone[1].name", 'name = "two"'),
    ],
)
def test_each_setting_has_its_own_line(path, begins):
    """Similar lines in a string, a list, an inline table or a comment are ignored."""
    assert TEXT.split("\n")[line_of(TEXT, TABLE, path) - 1].startswith(begins)


def test_a_setting_that_is_only_in_a_string_has_no_line():
    """`fps` occurs only in a string."""
    assert line_of(TEXT, TABLE, "fps") == 0


def test_a_long_text_is_searched_quickly():
    """The time is linear in the length, even with endless quotes and backslashes."""
    for text in ('a = "' + "\\\\" * 200_000 + '"', "a = [" + '"",' * 100_000 + "]", 'a = """' + '\\"' * 100_000 + '"""'):
        assert line_of(text, tomllib.loads(text), "a") == 1
