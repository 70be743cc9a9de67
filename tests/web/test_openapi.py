"""The description of the API: every route is in it, and answers are as described."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from edgecls.sink.sqlite import SqliteSink
from edgecls.web import ViewSink
from edgecls.web.app import make_app
from edgecls.web.events.history import History
from edgecls.web.openapi import DETAILS, describe
from tests.run.world import event, frame, result
from tests.web.served import served


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with a database of two events and a camera that is live."""
    path = tmp_path_factory.mktemp("api") / "events.db"
    with SqliteSink(path) as sink:
        sink.write_event(event(0))
        sink.write_event(event(1, ended=False, kind="count", counts={"car": 2}, occupancy=0.5))
    with served("gate", "yard", sinks=[f"sqlite:{path}"]) as found:
        found.view.write(result(frame()))
        yield found


def described(page) -> dict:
    """Return the description that the page serves."""
    return page.ask("/api/openapi.json").json()


def test_every_route_of_the_api_is_described():
    """With its methods and the parameters of its path; nothing is described that does not exist."""
    view = ViewSink(["gate"])
    app = make_app(view, History(view, tuple), hosts=["localhost"], sessions=None, is_secure=False)
    found = describe(app.routes)["paths"]
    served_ = {re.sub(r":\w+}", "}", route.path) for route in app.routes if route.path.startswith("/api/")} - {"/api/live"}
    assert served_ <= found.keys()
    assert {(method, path) for path, methods in found.items() for method in methods} >= DETAILS.keys() - {
        ("post", "/api/config/camera/{name}/test")
    }
    for path, methods in found.items():
        for operation in methods.values():
            named = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert [f"{{{name}}}" for name in named] == [part for part in path.split("/") if part.startswith("{")]


def test_the_description_is_one(page):
    """Of OpenAPI 3.1: references lead somewhere, and every schema is a JSON Schema."""
    found = described(page)
    assert found["openapi"] == "3.1.0"
    schemas = found["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(found)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in schemas


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/cameras", ""),
        ("/api/events", "?limit=1&camera=gate"),
        ("/api/events", ""),
        ("/api/filters", ""),
        ("/api/hours", "?since=1763823600&until=1763827200"),
        ("/api/events/{event}", ""),
        ("/api/config/schema", ""),
        ("/api/openapi.json", ""),
        ("/healthz", ""),
        ("/readyz", ""),
    ],
)
def test_answers_are_as_described(page, path, query):
    """Checked with the schemas of the description."""
    found = described(page)
    answer = page.ask(path.replace("{event}", event(0).id) + query)
    assert answer.status == 200
    schema = found["paths"][path]["get"]["responses"]["200"]["content"][answer.headers["content-type"]]["schema"]
    jsonschema.validate(answer.json(), {**schema, "components": found["components"]})
    assert schema
