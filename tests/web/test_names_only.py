"""Who may only look learns no folder, whatever they ask for; who may change something does."""

from __future__ import annotations

import json

import pytest
from websockets.sync.client import connect

from edgecls.web.jobs import Job
from edgecls.web.login.passwords import add_token
from edgecls.web.names_only import pattern_of, shortened
from tests.web.models_run import models_page

FOLDER = "Höfe & Straßen"


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A page whose files all lie in one folder, which is in troubles and results too; the folder; and a token of each role."""
    folder = tmp_path_factory.mktemp("names") / FOLDER
    (folder / "clips").mkdir(parents=True)
    passwords = folder / "p.json"
    tokens = {role: {"Authorization": f"Bearer {add_token(passwords, role, role)}"} for role in ("view", "edit")}
    sinks = [f"sqlite:{folder}/events.db", f"clip:{folder}/clips", f"collect:{folder}/store"]
    with models_page(folder, config=f"sinks = {json.dumps(sinks, ensure_ascii=False)}\n", passwords=passwords) as (page, _):
        job = Job("doctor", by="ann", of=f"{folder}/licht.onnx")
        job.state, job.result = "done", {"ok": True, "checks": [{"found": f'"{folder}/licht.onnx" is fine', "fix": ""}]}
        page.server._jobs._jobs = [job]
        page.view.notices = lambda: [f"{folder}/events.db: No space left on device"]
        (folder / "store" / "store.sqlite").write_bytes(b"no database" * 100)
        yield page, folder, tokens


def routes_of(page, headers):
    """Every address that can be looked at, with ids that there are."""
    ids = {
        "{model}": page.ask("/api/models", **headers).json()["models"][0]["model"],
        "{store}": page.ask("/api/teach", **headers).json()["stores"][0]["store"],
        "{camera}": "gate", "{name}": "gate", "{event}": "x", "{number}": "0",
    }  # fmt: skip
    paths = page.ask("/api/openapi.json", **headers).json()["paths"]
    for path, methods in paths.items():
        for name, value in ids.items():
            path = path.replace(name, value)  # noqa: PLW2901
        if "get" in methods:
            yield path


def test_no_route_tells_a_viewer_where_files_lie(seen):
    """All of them, errors and tables among them, and what the page is told all the time. The other role sees some of it."""
    page, folder, tokens = seen
    told = {"view": set(), "edit": set()}
    paths = [*routes_of(page, tokens["edit"]), "/", "/api/learn/store/x"]
    assert len(paths) > 20
    for path in paths:
        for role, found in told.items():
            answer = page.ask(path, **tokens[role])
            assert int(answer.headers.get("content-length", len(answer.body))) == len(answer.body)
            if str(folder.parent).encode() in answer.body:
                found.add(path)
    assert told["view"] == set()
    assert {"/api/models", "/api/machine", "/api/machine/doctor"} <= told["edit"]
    assert page.ask("/api/models", **tokens["view"]).json()["models"][0]["file"] == "licht.onnx"
    assert FOLDER in page.ask("/api/machine", **tokens["edit"]).body.decode()
    assert {one["folder"] for one in page.ask("/api/machine", **tokens["view"]).json()["disks"]} >= {"clips", "store"}
    for role in told:
        with connect(f"ws://127.0.0.1:{page.server.port}/api/live", additional_headers=tokens[role]) as viewer:
            assert (str(folder) in json.loads(viewer.recv(10))["notices"][0]) == (role == "edit")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/a.onnx", "a.onnx"),
        ("sqlite:/data/a.db: full, see '/data/x/b'", "sqlite:a.db: full, see 'x/b'"),
        ('{"of": "/data/deep/a"}', '{"of": "a"}'),
        ("/mnt/data/a", "/mnt/data/a"),
        ("https://example.org/data/a", "https://example.org/data/a"),
        ("data/a", "data/a"),
        ('{"folder": "/data/deep"}, /data', '{"folder": "deep"}, data'),
        ("/database/a", "/database/a"),
        (r'{"of": "C:\\Höfe\\a"}', '{"of": "a"}'),
    ],
)
def test_only_whole_folders_at_the_beginning_of_a_path_go(text, expected):
    """The longest that is known; the middle of another path, and of an address, stay."""
    assert shortened(pattern_of({"/data", "/data/deep", "C:\\Höfe"}), text) == expected
