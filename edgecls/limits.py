"""The largest size of a picture, checked before anything is decoded, and the most threads.

A small file can expand to gigabytes: a PNG of 32000x32000 pixels takes 1 MB on disk and 6 GB in memory. The headers of pictures
and videos contain their size, so larger ones are rejected before memory is allocated.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from edgecls.errors import EdgeclsError

MOST_THREADS = 1024
"""More threads than any processor has cores. Ten thousand take more than half a minute to start."""
MAX_PIXELS = 120_000_000
"""The default limit in pixels, above the 108 million of many phones. The environment variable overrides it."""
VARIABLE = "EDGECLS_MAX_PIXELS"


def max_pixels() -> int:
    """Return the limit in pixels. Raises ConfigError if the environment variable is not a valid number."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return MAX_PIXELS
    digits = text.replace("_", "").strip()
    if not (digits.isascii() and digits.isdecimal() and 0 < int(digits[:20]) < 1 << 31):
        raise ConfigError(f"the environment variable {VARIABLE} must be a number of pixels from 1 to 2147483647, not {text!r}")
    return int(digits)


def check_size(width: int, height: int, where: str, error: type[EdgeclsError], *, weight: int = 1) -> None:
    """Raise `error` if a picture has more pixels than allowed; `where` names it. Each pixel counts `weight` times."""
    most = max_pixels() // weight
    if width * height > most:
        kind = " for a file of its kind" if weight > 1 else ""
        raise error(
            f"{where}: its header states {width}x{height} pixels, more than the {most:,} that are allowed{kind}; "
            f"set {VARIABLE}={width * height * weight} if that is right"
        )
