"""Whether a camera's pictures can be trusted."""

from edgecls.health.camera_health import Health
from edgecls.health.settings import HealthSettings

__all__ = ["Health", "HealthSettings"]
