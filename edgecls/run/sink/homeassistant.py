"""What Home Assistant is told about a camera, so that it shows it by itself (MQTT discovery).

A camera is a device with a sensor of its connection, one of whether it has a problem, an entity for its events, and one sensor
for each region that shows states or is counted in. Events and regions are available while both edgecls and the camera are. The
fields are those of https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and of the pages of the three kinds of
entity there.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, get_args

from edgecls.event import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

ONLINE, OFFLINE = "online", "offline"


def of_camera(camera: str, topics: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The entities that each camera has, by the place of their configuration under the prefix of discovery.

    `topics` are those of `status` (edgecls itself), `available`, `state`, `health` and `event` (the camera).
    """
    connected = {
        "name": "Connected",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": topics["state"],
        "value_template": "{{ 'ON' if value_json.state == 'live' else 'OFF' }}",
        "json_attributes_topic": topics["state"],
        "availability": [{"topic": topics["status"]}],  # of edgecls alone: that a camera is lost is what this one tells
    }
    problem = {
        "name": "Problem",
        "device_class": "problem",
        "entity_category": "diagnostic",
        "state_topic": topics["health"],
        "value_template": "{{ 'ON' if value_json.fault else 'OFF' }}",
        "json_attributes_topic": topics["health"],
        "availability": [{"topic": topics["status"]}],  # one that is lost has a problem too
    }
    events = {
        "name": "Event",
        "state_topic": topics["event"],
        "event_types": list(get_args(Kind)),
        "value_template": "{{ dict(value_json, event_type=value_json.kind) | tojson }}",
        **_availability(topics),
    }
    return {
        **_entity("binary_sensor", "connected", connected, camera, topics["status"]),
        **_entity("binary_sensor", "problem", problem, camera, topics["status"]),
        **_entity("event", "event", events, camera, topics["status"]),
    }


def of_region(camera: str, region: str, kind: str, topics: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The sensor of a region: of its label (`kind` state) or of its counts (`kind` count), whose topic is
    `topics["region"]`.
    """
    shown = {
        "state": {"name": region, "value_template": "{{ value_json.label }}"},
        "count": {
            "name": f"{region} count",
            "value_template": "{{ value_json.counts.values() | sum }}",
            "state_class": "measurement",
        },
    }[kind]
    sensor = {
        **shown,
        "state_topic": topics["region"],
        "json_attributes_topic": topics["region"],
        **_availability(topics),
    }
    return _entity("sensor", f"{kind}/{region}", sensor, camera, topics["status"])


def _availability(topics: Mapping[str, str]) -> dict[str, Any]:
    return {"availability": [{"topic": topics["status"]}, {"topic": topics["available"]}], "availability_mode": "all"}


def _entity(component: str, what: str, config: dict[str, Any], camera: str, status: str) -> dict[str, dict[str, Any]]:
    device, entity = _id(status, camera), _id(status, camera, what)
    about = {"identifiers": [device], "name": camera, "manufacturer": "edgecls", "model": "camera"}
    return {f"{component}/{device}/{entity}/config": {**config, "qos": 1, "unique_id": entity, "device": about}}


def _id(*names: str) -> str:
    """Letters, digits, _ and - only, as discovery wants it, and different for different names."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", names[-1])
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"edgecls_{readable}_{digest}"
