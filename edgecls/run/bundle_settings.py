"""The settings of signed bundles, the table [bundle] of cameras.toml."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgecls.bundle import PublicKey, Slots, load_keys
from edgecls.errors import ConfigError
from edgecls.run.shadow_settings import TrialSettings
from edgecls.settings import check_limits, limited


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """Which signed bundles a device takes, and how a new one proves itself. A bundle brings a model and settings.

    Attributes:
        folder: The folder of the bundles, which is created with the first one. Each run needs its own.
        keys: The files of the public keys that are trusted. One of them must have signed a bundle.
        name: The only name of bundles that is taken; "": that of the first one.
        keep: How many good bundles are kept, including the one in use.
        sinks: Whether a bundle may bring outputs, with variables of this device.
        settle_s: A new bundle that has run for so many seconds without a fault is kept, even if its trial needs more frames.
        trial: How a new bundle proves itself.
    """

    folder: str
    keys: tuple[str, ...]
    name: str = ""
    keep: int = limited(3, at_least=2, at_most=100)
    sinks: bool = False
    settle_s: float = limited(600.0, above=0, unit="seconds")
    trial: TrialSettings = field(default_factory=TrialSettings)

    def __post_init__(self) -> None:
        """Validate that there are a folder and a key."""
        if not self.folder:
            raise ConfigError("folder is empty; expected a folder for the bundles")
        if not self.keys:
            raise ConfigError("keys is empty; expected the file of a public key, such as fleet.pub")
        check_limits(self)

    @property
    def slots(self) -> Slots:
        """The bundles in the folder."""
        return Slots(self.folder, name=self.name, keep=self.keep)

    @property
    def trusted(self) -> tuple[PublicKey, ...]:
        """The trusted keys. Raises ConfigError."""
        return load_keys(self.keys)
