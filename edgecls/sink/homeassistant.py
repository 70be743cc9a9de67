"""MQTT discovery messages, with which Home Assistant adds cameras automatically.

A camera is a device with sensors for its connection and for problems, an entity for its events, and sensors for each region:
the label of a state, whether it shows each of several labels, the crossings of a line in each direction, and the counts of a
zone. Events and regions are available while both edgecls and the camera are online.
The fields are documented at
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and on the pages of the entity types.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, get_args

from edgecls.event import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

ONLINE, OFFLINE = "online", "offline"
LONGEST_STATE = 255
"""Characters. Home Assistant rejects longer states."""
MEASUREMENT = {"state_class": "measurement"}
RENAMED = {"unknown": "Unknown object", "unavailable": "(unavailable)", "None": "(None)", "": "(empty)"}
"""Labels that Home Assistant would treat as a missing value, and what is shown instead."""
LABEL = (
    "{% set label = value_json.label | string | trim %}{% if value_json.label is none %}None{% else %}"
    f"{{{{ {RENAMED}.get(label, label)[:{LONGEST_STATE}] }}}}{{% endif %}}"
)
"""Template for the label of a region, or no value (`None`) if it has no label."""


def of_camera(camera: str, topics: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the configurations of a camera's entities, by topic below the discovery prefix.

    `topics` holds the topics `status` (of edgecls) and `available`, `state`, `health` and `event` (of the camera).
    """
    connected = {
        "name": "Connected",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": topics["state"],
        "value_template": "{{ 'ON' if value_json.state == 'live' else 'OFF' }}",
        "json_attributes_topic": topics["state"],
        "availability": [{"topic": topics["status"]}],  # of edgecls only: this entity itself reports a lost camera
    }
    problem = {
        "name": "Problem",
        "device_class": "problem",
        "entity_category": "diagnostic",
        "state_topic": topics["health"],
        "value_template": "{{ 'ON' if value_json.fault else 'OFF' }}",
        "json_attributes_topic": topics["health"],
        "availability": [{"topic": topics["status"]}],  # a lost camera has a problem too
    }
    events = {
        "name": "Event",
        "state_topic": topics["event"],
        "event_types": list(get_args(Kind)),
        "value_template": "{{ dict(value_json, event_type=value_json.kind) | tojson }}",
        **_availability(topics),
    }
    return {
        **_entity("binary_sensor", connected, camera, topics["status"], "connected"),
        **_entity("binary_sensor", problem, camera, topics["status"], "problem"),
        **_entity("event", events, camera, topics["status"], "event"),
    }


def of_region(camera: str, region: str, kind: str, topics: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the sensor of a region, by topic below the discovery prefix.

    `kind` is "state" (the label), "count" (objects in a zone in the last interval) or "occupancy" (the average number of
    objects in it). Values are published on `topics["region"]`.
    """
    shown = {
        "state": {"name": region, "value_template": LABEL},
        "count": {"name": f"{region} count", "value_template": "{{ value_json.counts.values() | sum }}", **MEASUREMENT},
        "occupancy": {"name": f"{region} average occupancy", "value_template": "{{ value_json.occupancy }}", **MEASUREMENT},
    }[kind]
    return _entity("sensor", {**shown, **_of_topic(topics)}, camera, topics["status"], f"{kind}/{region}")


def of_label(camera: str, region: str, label: str, topics: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the entity that is on while a region shows one of several labels."""
    shown = {"name": f"{region} {label}", "value_template": "{{ 'ON' if value_json.shown else 'OFF' }}", **_of_topic(topics)}
    return _entity("binary_sensor", shown, camera, topics["status"], f"shown/{region}", label)


def of_direction(camera: str, line: str, direction: str, topics: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the sensor for the crossings of a line in one direction. It restarts at 0 with each run (`total_increasing`)."""
    shown = {
        "name": f"{line} {direction}",
        "value_template": "{{ value_json.total }}",
        "state_class": "total_increasing",
        **_of_topic(topics),
    }
    return _entity("sensor", shown, camera, topics["status"], line, f"{line}/{direction}")


def of_older_line(camera: str, line: str, status: str) -> str:
    """Return the topic of the sensor that a line had up to version 0.2.0. An empty configuration removes it."""
    (place,) = _entity("sensor", {}, camera, status, f"count/{line}")
    return place


def _of_topic(topics: Mapping[str, str]) -> dict[str, Any]:
    return {"state_topic": topics["region"], "json_attributes_topic": topics["region"], **_availability(topics)}


def _availability(topics: Mapping[str, str]) -> dict[str, Any]:
    return {"availability": [{"topic": topics["status"]}, {"topic": topics["available"]}], "availability_mode": "all"}


def _entity(component: str, config: dict[str, Any], camera: str, status: str, *what: str) -> dict[str, dict[str, Any]]:
    device, entity = _id(status, camera), _id(status, camera, *what)
    about = {"identifiers": [device], "name": camera, "manufacturer": "edgecls", "model": "camera"}
    return {f"{component}/{device}/{entity}/config": {**config, "qos": 1, "unique_id": entity, "device": about}}


def _id(*names: str) -> str:
    """Return a unique id of letters, digits, _ and -, as discovery requires."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", names[-1])
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"edgecls_{readable}_{digest}"
