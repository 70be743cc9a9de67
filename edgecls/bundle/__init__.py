"""Bundles: a model and settings for devices in one signed file, and the slots that a device keeps them in."""

from edgecls.bundle.keys import PrivateKey, PublicKey, load_keys, load_private_key, make_keys
from edgecls.bundle.making import make, sign
from edgecls.bundle.manifest import BundleFile, Manifest
from edgecls.bundle.part import check_part, read_part
from edgecls.bundle.reader import BundleReader, verify
from edgecls.bundle.slots import Installed, Slots
from edgecls.bundle.state import Outcome, Refusal, Slot, SlotState
from edgecls.errors import BundleError

__all__ = [
    "BundleError",
    "BundleFile",
    "BundleReader",
    "Installed",
    "Manifest",
    "Outcome",
    "PrivateKey",
    "PublicKey",
    "Refusal",
    "Slot",
    "SlotState",
    "Slots",
    "check_part",
    "load_keys",
    "load_private_key",
    "make",
    "make_keys",
    "read_part",
    "sign",
    "verify",
]
