"""Whether the packages of the extra `pretrained` are here."""

from __future__ import annotations

import pytest

from edgecls.pretrained import PACKAGES
from edgecls.pretrained.packages import is_installed

MISSING = [PACKAGES[name].name for name in PACKAGES if not is_installed(name)]
needs_weights = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} is not installed")
