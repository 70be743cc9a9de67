"""Whether the world in front of a camera is still what it was in the first days, and what the model learned."""

from edgecls.drift.drift import Drift
from edgecls.drift.settings import DriftSettings

__all__ = ["Drift", "DriftSettings"]
