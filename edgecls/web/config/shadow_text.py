"""Change the shadow model in the text of a cameras.toml, and nothing else of it, see `edgecls.web.config.text`."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError
from edgecls.extras import load
from edgecls.settings.variables import names_in
from edgecls.web.config.toml_blocks import Block, edit, remove, split

if TYPE_CHECKING:
    from collections.abc import Callable

SHADOW, MODEL = "shadow", "model"


def with_shadow(text: str, model: str | None) -> str:
    """Return the text of a cameras.toml with another shadow model.

    Args:
        text: The file, with line feeds as line ends.
        model: The .onnx file of the shadow, whose other settings stay; None removes the shadow with all of its settings.

    Raises:
        ConfigError: The text is written in a way that only its author can change.
    """
    if model is not None and names_in(model):
        raise ConfigError(f"{model}: its name would be read as a variable; rename it")
    expected = tomllib.loads(text)
    before = expected.pop(SHADOW, None)
    if model is not None:
        expected[SHADOW] = {**before, MODEL: model} if isinstance(before, dict) else model if before else {MODEL: model}
    blocks = split(text if text.endswith("\n") or not text else f"{text}\n")
    try:
        _change(blocks, model)
        after = "".join(block.text for block in blocks)
        is_right = tomllib.loads(after) == expected
    except (LookupError, TypeError, ValueError):  # also of tomlkit
        is_right = False
    if not is_right:
        raise ConfigError("the shadow is written in a way that the page cannot change; change it in the file")
    return after


def _change(blocks: list[Block], model: str | None) -> None:
    own = [block for block in blocks if block.path[:1] == (SHADOW,)]
    head = next((block for block in own if block.path == (SHADOW,)), None)
    if SHADOW in load("tomlkit", extra="web", purpose="Changing cameras.toml").parse(blocks[0].body):
        edit(blocks, blocks[0], _in_root(model))
    elif model is None:
        remove(blocks, own)
    elif head is not None:
        edit(blocks, head, lambda table: table.update({MODEL: model}))
    else:
        new = Block((SHADOW,), f"\n[{SHADOW}]\n", "")
        blocks.append(new)
        edit(blocks, new, lambda table: table.update({MODEL: model}))


def _in_root(model: str | None) -> Callable[[Any], None]:
    """Return what changes a shadow that is written above the first table: a text, or a table in braces."""

    def act(table: Any) -> None:
        if model is None:
            del table[SHADOW]
        elif isinstance(table[SHADOW], dict):
            table[SHADOW][MODEL] = model
        else:
            table[SHADOW] = model

    return act
