"""Tests of the configuration for Home Assistant against its documentation, with templates like its own."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest

from edgecls.event import Kind
from edgecls.labels.json_lines import event_line
from edgecls.sink.homeassistant import of_camera, of_direction, of_older_line, of_region
from tests.run.world import event

TOPICS = {
    "status": "edgecls/status",
    "available": "edgecls/gate/available",
    "state": "edgecls/gate/state",
    "health": "edgecls/gate/health",
    "event": "edgecls/gate/event",
    "region": "edgecls/gate/entry/state",
}
EVERY_ENTITY: dict[str, Any] = {
    "availability": list,
    "availability_mode": {"all", "any", "latest"},
    "device": dict,
    "entity_category": {"config", "diagnostic"},
    "json_attributes_topic": str,
    "name": str,
    "qos": {0, 1, 2},
    "state_topic": str,
    "unique_id": str,
    "value_template": str,
}
DOCUMENTED: dict[str, dict[str, Any]] = {
    "binary_sensor": {**EVERY_ENTITY, "device_class": {"connectivity", "problem"}},
    "sensor": {**EVERY_ENTITY, "state_class": {"measurement", "total", "total_increasing"}},
    "event": {**EVERY_ENTITY, "event_types": list},
}
"""The fields that we use from home-assistant.io/integrations/{binary_sensor,sensor,event}.mqtt, with the type or all values."""
REQUIRED = {"binary_sensor": {"state_topic"}, "sensor": {"state_topic"}, "event": {"state_topic", "event_types"}}
DEVICE: dict[str, Any] = {"identifiers": list, "name": str, "manufacturer": str, "model": str}
AVAILABILITY: dict[str, Any] = {"topic": str}


def fits(values: dict[str, Any], documented: dict[str, Any]) -> bool:
    """Whether each field is documented and has a valid value."""
    return all(
        value in documented[name] if isinstance(documented[name], set) else isinstance(value, documented[name])
        for name, value in values.items()
    )


def every_entity(camera: str = "gate", region: str = "entry") -> dict[str, dict[str, Any]]:
    """Return all entities of a camera with a region of each kind, as decoded from JSON."""
    found = of_camera(camera, TOPICS)
    for kind in ("state", "count", "occupancy"):
        found |= of_region(camera, region, kind, TOPICS)
    for direction in ("in", "out"):
        found |= of_direction(camera, region, direction, TOPICS)
    return json.loads(json.dumps(found))


@pytest.mark.parametrize("camera", ["gate", "Größe 1/2 #+", "caf\udce9", ""])
def test_each_entity_is_as_documented(camera):
    """Topic, fields, values, device and availability match the documentation, whatever the camera's name is."""
    entities = every_entity(camera, camera)
    assert [place.split("/")[0] for place in entities] == ["binary_sensor"] * 2 + ["event"] + ["sensor"] * 5
    for place, config in entities.items():
        component = place.split("/")[0]
        assert re.fullmatch(r"[a-z_]+/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", place)
        assert set(config) <= set(DOCUMENTED[component]), set(config) - set(DOCUMENTED[component])
        assert set(config) >= REQUIRED[component] | {"unique_id", "device", "availability"}
        assert fits(config, DOCUMENTED[component])
        assert fits(config["device"], DEVICE)
        assert config["device"]["identifiers"]
        assert all(fits(one, AVAILABILITY) for one in config["availability"])


def test_a_camera_is_one_device_and_its_entities_differ():
    """All entities of a camera belong to its device. Their ids are unique, also across cameras and prefixes."""
    first = every_entity()
    assert len({json.dumps(config["device"]) for config in first.values()}) == 1
    others = [
        every_entity("gate-2"),
        of_camera("gate", {**TOPICS, "status": "other/status"}),
        every_entity("a_b"),
        every_entity("a b"),
    ]
    ids = [config["unique_id"] for entities in (first, *others) for config in entities.values()]
    assert len(ids) == len(set(ids))


def test_entities_are_available_while_edgecls_and_the_camera_are():
    """Both must be online. Connection and problem need only edgecls, because they report a lost camera."""
    for place, config in every_entity().items():
        topics = [one["topic"] for one in config["availability"]]
        if place.startswith("binary_sensor"):
            assert topics == ["edgecls/status"]
        else:
            assert topics == ["edgecls/status", "edgecls/gate/available"]
            assert config["availability_mode"] == "all"


def rendered(template: str, payload: str) -> str:
    """Return what Home Assistant's templates make of a message."""
    jinja2 = pytest.importorskip("jinja2.sandbox", reason="jinja2 is not installed")
    return jinja2.ImmutableSandboxedEnvironment().from_string(template).render(value=payload, value_json=json.loads(payload))


def test_the_templates_give_what_the_entities_show():
    """ON and OFF for connection and problem, the label of a region, the sum of counts, and an event with its type."""
    templates = [config["value_template"] for config in every_entity().values()]
    connected, problem, events, state, count, occupancy, crossed, _ = templates
    assert rendered(connected, '{"state": "live"}') == "ON"
    assert rendered(connected, '{"state": "lost"}') == "OFF"
    assert rendered(problem, '{"fault": "covered", "since": 1.0, "event": "a"}') == "ON"
    assert rendered(problem, '{"fault": null, "since": null}') == "OFF"
    assert rendered(state, '{"label": "open"}') == "open"
    assert rendered(state, '{"label": null}') == "None"  # which means no value to Home Assistant
    assert rendered(count, '{"counts": {"car": 3, "bus": 2}}') == "5"
    assert rendered(count, '{"counts": {}}') == "0"
    assert rendered(occupancy, '{"counts": {}, "occupancy": 1.25}') == "1.25"
    assert rendered(crossed, '{"counts": {"car": 1}, "total": 41, "totals": {"car": 41}}') == "41"
    shown = json.loads(rendered(events, event_line(event(label="a \"quoted\" <b> 'label'"))))
    assert shown["event_type"] == "crossing"
    assert shown["label"] == "a \"quoted\" <b> 'label'"


def test_every_kind_of_event_has_a_type():
    """Home Assistant drops events whose type was not announced."""
    (events,) = [config for place, config in every_entity().items() if place.startswith("event/")]
    assert events["event_types"] == list(get_args(Kind))


NO_VALUE = ("unknown", "unavailable", "None", "")
"""States that Home Assistant treats as a missing value or ignores. It strips the result of a template."""


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("unknown", "Unknown object"),
        (" unknown\n", "Unknown object"),
        ("unavailable", "(unavailable)"),
        ("None", "(None)"),
        ("", "(empty)"),
        ("  ", "(empty)"),
        ("none", "none"),
        ("on", "on"),
        ("off", "off"),
        ("42", "42"),
        ("a \"b\" 'c' {{ d }} {% e %}", "a \"b\" 'c' {{ d }} {% e %}"),
        ("Größe 停 🚗", "Größe 停 🚗"),
        ("x" * 255, "x" * 255),
        ("x" * 256, "x" * 255),
        ("é" * 3000, "é" * 255),
        ("x" * 254 + " y", "x" * 254),
    ],
)
def test_any_label_is_a_value(label, shown):
    """Labels that mean "no value" to Home Assistant are replaced, and long labels are cut, because it would reject them."""
    template = next(iter(of_region("gate", "entry", "state", TOPICS).values()))["value_template"]
    assert (found := rendered(template, json.dumps({"label": label})).strip()) == shown
    assert found not in NO_VALUE


def test_each_direction_of_a_line_has_an_entity():
    """Entities are named by line and side; names that could be confused give different ids."""
    pairs = [("entry", "in"), ("entry", "out"), ("entry/in", "x"), ("entry", "in/x"), ("", "entry")]
    configs = [config for line, side in pairs for config in of_direction("gate", line, side, TOPICS).values()]
    assert len({config["unique_id"] for config in configs}) == len(pairs)
    assert [config["name"] for config in configs[:2]] == ["entry in", "entry out"]
    assert {config["state_class"] for config in configs} == {"total_increasing"}


def test_ids_are_those_of_0_2_0():
    """If an id changed, Home Assistant would have two entities, one of them dead."""
    ids = [config["unique_id"] for config in every_entity().values()]
    assert ids[:5] == [
        "edgecls_connected_9f96551eba",
        "edgecls_problem_1147fc99ed",
        "edgecls_event_5874209e59",
        "edgecls_state_entry_c88a635057",
        "edgecls_count_entry_ca7546ab04",
    ]
    (zone,) = of_region("gate", "entry", "count", TOPICS)
    assert of_older_line("gate", "entry", TOPICS["status"]) == zone
