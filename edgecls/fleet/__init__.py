"""Fleets: devices that report over an MQTT broker and take signed bundles, and roll-outs in stages."""

from edgecls.fleet.agent import Agent
from edgecls.fleet.desired import Desired
from edgecls.fleet.fleet import Fleet
from edgecls.fleet.reported import Reported, Update
from edgecls.fleet.rolling import Rolling, roll_back, stop
from edgecls.fleet.rollout import RollOut
from edgecls.fleet.standing import Device, Failure, Standing, judge

__all__ = [
    "Agent",
    "Desired",
    "Device",
    "Failure",
    "Fleet",
    "Reported",
    "RollOut",
    "Rolling",
    "Standing",
    "Update",
    "judge",
    "roll_back",
    "stop",
]
