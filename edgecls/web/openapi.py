"""The description of the JSON API, `GET /api/openapi.json`, in OpenAPI 3.1.

Paths, methods and their parameters in the path come from the routes of the application, so none is missing. What a route takes
and answers is in `DETAILS`.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Route, WebSocketRoute

from edgecls._version import __version__
from edgecls.web.events.query import FIELDS, MOST_AT_ONCE
from edgecls.web.json_schema import COUNT, MAYBE_NUMBER, NUMBER, TEXT, TEXTS
from edgecls.web.json_schema import of as _of
from edgecls.web.json_schema import parameter as _parameter
from edgecls.web.json_schema import record as _record
from edgecls.web.learn import described as of_learn
from edgecls.web.login.guard import COOKIE, FOR_VIEWERS
from edgecls.web.models import described as of_models

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIXES = ("/api/", "/healthz", "/readyz")
CLASSES = {
    "classes": {"type": "object", "additionalProperties": COUNT, "description": "the number of pictures of each class"},
    "left": {"type": "integer", "description": "how many pictures have no label"},
}
SCHEMAS = of_models.SCHEMAS | of_learn.SCHEMAS | {
    "Moment": _record({"frame": COUNT, "time_s": NUMBER}, at_s=NUMBER, file=TEXT),
    "Event": _record(
        {
            "event": TEXT, "kind": TEXT, "camera": TEXT, "region": TEXT, "label": TEXT, "score": NUMBER, "model": TEXT,
            "start": _of("Moment"), "end": {"anyOf": [_of("Moment"), {"type": "null"}]}, "duration_s": MAYBE_NUMBER,
        },
        track_id={"type": "integer"}, direction=TEXT, counts={"type": "object", "additionalProperties": COUNT},
        occupancy=NUMBER, view={"type": "object"},
    ),
    "EventPage": _record({
        "events": {"type": "array", "items": _of("Event")},
        "next": {"type": ["string", "null"], "description": "the value of `before` for the next page; null: this is the last"},
        "source": {"enum": ["database", "memory"]},
    }),
    "OneEvent": {"allOf": [_of("Event"), _record({
        "clip": {"type": "boolean", "description": "whether there is a clip of it"},
        "clips": {"type": "boolean", "description": "whether the run writes clips"},
        "snapshots": {"type": "array", "items": {"enum": ["frame", "annotated", "crop"]}},
        "uncorrectable": {"type": "string", "description": "why its label cannot be corrected; empty if it can"},
    })]},
    "Camera": _record({
        "name": TEXT, "state": TEXT, "why": TEXT, "fault": TEXT, "fps": NUMBER, "age_ms": MAYBE_NUMBER, "reason": TEXT,
        "is_classified": {"type": "boolean", "description": "which pictures with a fault usually are not"},
        "size": {"type": ["array", "null"], "items": COUNT, "description": "width and height in pixels"},
        "recording": {"description": "of a video file: how far the run has come", "anyOf": [
            {"type": "null"}, _record({"until_s": MAYBE_NUMBER, "has_ended": {"type": "boolean"}}),
        ]},
    }),
    "Cameras": _record({
        "kind": {"const": "cameras"}, "at_s": NUMBER, "skipped": COUNT, "events": COUNT,
        "notices": {**TEXTS, "description": "sinks that deliver nothing and why, a failed reload, a new model"},
        "cameras": {"type": "array", "items": _of("Camera")},
    }),
    "Filters": _record(dict.fromkeys(FIELDS, TEXTS)),
    "Hours": _record({
        "since": NUMBER,
        "cameras": {"type": "object", "additionalProperties": {"type": "array", "items": COUNT}},
    }),
    "Recording": _record({
        "camera": TEXT, "duration_s": NUMBER,
        "first_s": {"type": "number", "description": "the time in the file at which it begins"},
        "chunk_s": NUMBER, "why": {"type": "string", "description": "why it is shown as single pictures; empty if as video"},
    }),
    "Found": _record({
        "is_over": {"type": "boolean", "description": "whether there will be no more"},
        "records": {"type": "array", "items": {"type": "object"}, "description": "what the WebSocket says of live cameras"},
    }),
    "Stores": _record({"stores": {"type": "array", "items": _record({"store": TEXT, "name": TEXT, "why": TEXT, **CLASSES})}}),
    "Group": _record({
        "pictures": {"type": "array", "items": _record(
            {
                "picture": COUNT, "camera": TEXT, "region": TEXT, "at_s": MAYBE_NUMBER, "reason": TEXT, "prediction": TEXT,
                "score": MAYBE_NUMBER, "label": TEXT,
            },
            rather={"type": "string", "description": "of a suspect: the label that is more probable"},
            suspicion={"type": "number", "description": "how much more probable it is, 0 to 1"},
            why=TEXT,
        )},
        "proposal": {"type": "string", "description": "the label that they probably have; empty if nothing is known"},
        "why": {"type": "string", "description": "why they are shown now"}, "notes": TEXTS, **CLASSES,
    }),
    "Pictures": _record({"pictures": {"type": "array", "items": COUNT, "minItems": 1, "maxItems": 500}}, label=TEXT),
    "Stroke": _record(
        {"pictures": {"type": "integer", "description": "how many pictures were changed"}, **CLASSES}, stroke=COUNT,
    ),
    "Sent": _record({"picture": COUNT, "was_there": {"type": "boolean"}, "label": TEXT}),
    "Health": _record({"status": {"enum": ["ok", "stuck"]}}, why=TEXT),
    "Fault": _record(
        {"part": {"enum": ["run", "camera", "output", "disk", "model"]}},
        name={"type": "string", "description": "missing, like `why`, for visitors who have not logged in"}, why=TEXT,
    ),
    "Readiness": _record({
        "status": {"enum": ["ready", "not ready"]},
        "faults": {"type": "array", "items": _of("Fault"), "description": "what is not delivered"},
        "notes": {"type": "array", "items": _of("Fault"), "description": "what may be worth knowing besides"},
        "model": {"type": "string", "description": "the SHA-256 of the model file in use; empty without one"},
    }),
    "Change": _record(
        {"hash": TEXT, **{name: {"type": "array"} for name in ("zone", "line", "ignore")}, "rules": {"type": "object"}},
        private={"type": "array", "description": "missing: private areas stay as they are"},
    ),
    "CameraConfig": _record({"camera": TEXT, "hash": TEXT, "can_undo": {"type": "boolean"}, "why": TEXT, "file": TEXT}),
}  # fmt: skip
CHOSEN = [
    *(_parameter(name, TEXT, f"only events of this {name}") for name in FIELDS),
    _parameter("since", NUMBER, "only events that began then or later, in seconds since 1970 (UTC)"),
    _parameter("until", NUMBER, "only events that began before, in seconds since 1970 (UTC)"),
]
DETAILS: dict[tuple[str, str], dict[str, Any]] = of_models.DETAILS | of_learn.DETAILS | {
    ("get", "/healthz"): {"summary": "Whether the loop of the run moves", "answer": _of("Health")},
    ("get", "/readyz"): {"summary": "Whether everything is delivered, and what is not", "answer": _of("Readiness")},
    ("get", "/api/cameras"): {"summary": "The cameras and their states", "answer": _of("Cameras")},
    ("get", "/api/events"): {
        "summary": "Events, newest first",
        "parameters": [
            *CHOSEN,
            _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST_AT_ONCE, "default": 100}, "how many"),
            _parameter("before", TEXT, "the value of `next` of the page before"),
        ],
        "answer": _of("EventPage"),
    },
    ("get", "/api/events.csv"): {"summary": "Events as a table", "parameters": CHOSEN, "media": "text/csv"},
    ("get", "/api/filters"): {"summary": "What events can be filtered by", "answer": _of("Filters")},
    ("get", "/api/hours"): {
        "summary": "How many events of each camera began in each hour", "parameters": CHOSEN, "answer": _of("Hours"),
    },
    ("get", "/api/events/{event}"): {"summary": "One event, and what there is of it", "answer": _of("OneEvent")},
    ("get", "/api/events/{event}/clip"): {"summary": "The clip of an event, whole or in parts", "media": "video/mp4"},
    ("get", "/api/events/{event}/snapshot"): {
        "summary": "A picture of an event",
        "parameters": [_parameter("show", {"enum": ["frame", "annotated", "crop"]}, "which one; default: the first")],
        "media": "image/jpeg",
    },
    ("post", "/api/events/{event}/wrong"): {
        "summary": "The label is wrong: put the picture of the event into the store of pictures to label",
        "body": _record({}, label={"type": "string", "description": "the right label; empty if unknown"}),
        "answer": _of("Sent"),
    },
    ("get", "/api/recordings/{camera}"): {"summary": "A camera whose source is a video file", "answer": _of("Recording")},
    ("get", "/api/recordings/{camera}/video"): {"summary": "The file, whole or in parts", "media": "video/mp4"},
    ("get", "/api/recordings/{camera}/picture"): {
        "summary": "One picture of it",
        "parameters": [_parameter("at", NUMBER, "its time, in seconds from the beginning; the header X-Time says its own")],
        "media": "image/jpeg",
    },
    ("get", "/api/recordings/{camera}/found/{number}"): {
        "summary": "What was found from number times chunk_s seconds on", "answer": _of("Found"),
    },
    ("get", "/api/teach"): {"summary": "The stores of pictures to label", "answer": _of("Stores")},
    ("get", "/api/teach/{store}/group"): {
        "summary": "Similar pictures without a label, and the label that they probably have",
        "parameters": [_parameter("useful", {"enum": ["0", "1"]}, "1: those whose labels would teach most")],
        "answer": _of("Group"),
    },
    ("get", "/api/teach/{store}/suspects"): {"summary": "Labels that are probably wrong, and why", "answer": _of("Group")},
    ("get", "/api/teach/{store}/picture/{number}"): {
        "summary": "A picture of a store",
        "parameters": [_parameter("large", {"enum": ["0", "1"]}, "1: at most 1280 instead of 320 pixels")],
        "media": "image/jpeg",
    },
    ("post", "/api/teach/{store}/label"): {
        "summary": "Give pictures a label, which is on the disk before the answer",
        "body": _of("Pictures"), "answer": _of("Stroke"),
    },
    ("post", "/api/teach/{store}/confirm"): {
        "summary": "The labels of pictures are right", "body": _of("Pictures"), "answer": _of("Stroke"),
    },
    ("post", "/api/teach/{store}/unusable"): {
        "summary": "Pictures show nothing to learn from", "body": _of("Pictures"), "answer": _of("Stroke"),
    },
    ("post", "/api/teach/{store}/skip"): {
        "summary": "Leave pictures for later", "body": _of("Pictures"), "answer": _of("Stroke"),
    },
    ("post", "/api/teach/{store}/undo"): {"summary": "Take back the own last stroke", "answer": _of("Stroke")},
    ("get", "/api/config/schema"): {"summary": "The settings of a camera as JSON Schema", "answer": {"type": "object"}},
    ("get", "/api/config/camera/{name}"): {"summary": "Zones, lines and rules of a camera", "answer": _of("CameraConfig")},
    ("put", "/api/config/camera/{name}"): {
        "summary": "Change zones, lines and rules of a camera", "body": _of("Change"), "answer": _of("CameraConfig"),
    },
    ("post", "/api/config/camera/{name}/test"): {
        "summary": "What a change would have made of the last minutes", "body": _of("Change"), "answer": {"type": "object"},
    },
    ("post", "/api/config/undo"): {
        "summary": "Take back the last change", "body": _record({"hash": TEXT}), "answer": {"type": "object"},
    },
    ("get", "/api/openapi.json"): {"summary": "This description", "answer": {"type": "object"}},
}  # fmt: skip
"""What routes take and answer, by method and path."""


def describe(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the description of those routes that belong to the API."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if not isinstance(route, Route) or not route.path.startswith(PREFIXES):
            continue
        path = re.sub(r":\w+}", "}", route.path)
        for method in sorted((route.methods or set()) - {"HEAD"}):
            paths.setdefault(path, {})[method.lower()] = _operation(method.lower(), path, route)
    sockets = [route.path for route in routes if isinstance(route, WebSocketRoute)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edgecls",
            "version": __version__,
            "description": f"The page of a run. Live pictures come over the WebSocket {', '.join(sockets) or '/api/live'}.",
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
        "security": [{"token": []}, {"session": []}, {}],
    }


def _operation(method: str, path: str, route: Route) -> dict[str, Any]:
    details = DETAILS.get((method, path), {})
    summary = details.get("summary") or (inspect.getdoc(route.endpoint) or path).split("\n")[0]
    media = details.get("media", "application/json")
    schema = details.get("answer", {"type": "string", "contentMediaType": media} if "media" in details else {})
    refusal = {"description": "why not, in one line", "content": {"text/plain": {"schema": TEXT}}}
    found: dict[str, Any] = {
        "summary": summary,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": TEXT} for name in re.findall(r"{(\w+)}", path)),
            *details.get("parameters", ()),
        ],
        "responses": {"200": {"description": summary, "content": {media: {"schema": schema}}}, "default": refusal},
    }
    if "body" in details:
        found["requestBody"] = {"content": {"application/json": {"schema": details["body"]}}}
    if method not in ("get", "options") and path not in FOR_VIEWERS:
        found["description"] = "Needs the role edit, where a login is needed."
    return found
