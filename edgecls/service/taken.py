"""Has the run taken a model that was put in place?"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import EdgeclsError
from edgecls.service.health import READY, ask
from edgecls.service.needs import address_of

if TYPE_CHECKING:
    from edgecls.run.config import Config

ASK_EVERY_S = 0.5


def wait_until_taken(config: Config, wait_s: float) -> tuple[bool | None, str]:
    """Wait until the run of a configuration says that it uses the model file as it is now.

    Args:
        config: The configuration of the run.
        wait_s: The most seconds to wait.

    Returns:
        Whether it uses the file; None if it cannot be asked, or if no run answers. And one line that says so.
    """
    address = address_of(config)
    if not address:
        return None, 'the run cannot be asked whether it has taken the model; add "prometheus:9108" to sinks, or [web]'
    wanted = hashlib.sha256(Path(config.model).read_bytes()).hexdigest()
    end_s = time.monotonic() + wait_s
    while True:
        try:
            record = ask(address, READY).record
        except EdgeclsError as error:
            return None, f"no run answers, so the next one that starts takes the model ({error})"
        if record.get("model") == wanted:
            return True, f"the run at {address} uses it now"
        if time.monotonic() >= end_s:
            break
        time.sleep(ASK_EVERY_S)
    notes = [str(note.get("why", "")) for note in record.get("notes", []) if note.get("part") == "model"]
    why = (
        notes[-1]
        if any(notes)
        else "it takes a model between two frames, so a camera must send some; its messages may say more"
    )
    return False, f"the model is in place, but the run at {address} does not use it after {wait_s:g} s: {why}"
