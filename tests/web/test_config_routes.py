"""The routes that change cameras.toml."""

from __future__ import annotations

import json

import pytest

from edgecls.errors import ConfigError
from edgecls.run.config import read_config
from edgecls.web import ConfigFile
from tests.web.served import served

TEXT = """model = "m.onnx" # the model
[[camera]]
name = "gate"
source = "rtsp://admin:${PASSWORD}@10.0.0.7/1"
"""
ZONE = {"at": None, "value": {"name": "Bucht ä", "area": [0.1, 0.1, 0.2, 0.2]}}
LISTS = '"hash": "x", "line": [], "ignore": []'
ADDRESS = "/api/config/camera/gate"


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page that may change a file. What is put in force is in `page.applied`."""
    monkeypatch.setenv("PASSWORD", "secret")
    path = tmp_path / "cameras.toml"
    path.write_text(TEXT)
    with served(config=ConfigFile(path, read=read_config, apply=lambda _config: None)) as found:
        yield found


def put(page, digest, *zones, line=(), ignore=(), rules=None, **headers):
    """Send a change."""
    change = {"hash": digest, "zone": zones, "line": line, "ignore": ignore, "rules": rules or {}}
    return page.ask(ADDRESS, "PUT", body=json.dumps(change), **headers)


def test_a_camera_is_read_changed_and_undone(page, tmp_path):
    """Each answer holds what the next change needs; none holds the source."""
    before = page.ask(ADDRESS)
    assert before.json() | {"hash": ""} == {
        "camera": "gate", "zone": [], "line": [], "ignore": [], "private": [], "rules": {}, "hash": "", "can_undo": False,
        "why": "", "file": "cameras.toml", "in_force": True,
    }  # fmt: skip
    after = put(page, before.json()["hash"], ZONE, rules={"count_every_s": 60})
    assert (after.status, after.json()["zone"], after.json()["rules"]) == (200, [ZONE["value"]], {"count_every_s": 60})
    assert (tmp_path / "cameras.toml").read_text().startswith(TEXT)
    undone = page.ask("/api/config/undo", "POST", body=json.dumps({"hash": after.json()["hash"]}))
    assert (undone.status, undone.json()["hash"]) == (200, before.json()["hash"])
    answers = before.body + after.body + undone.body
    assert not any(word in answers for word in (b"rtsp", b"admin", b"PASSWORD", b"secret"))


@pytest.mark.parametrize(
    ("path", "method", "body", "status", "said"),
    [
        ("/api/config/camera/nobody", "GET", None, 404, "there is no camera 'nobody'"),
        (ADDRESS, "PUT", "{", 400, "expected a change"),
        (ADDRESS, "PUT", '{"hash": "x"}', 400, "expected a change"),
        (ADDRESS, "PUT", f'{{{LISTS}, "zone": [], "rules": {{"source": "/etc"}}}}', 400, "rules are"),
        (ADDRESS, "PUT", f'{{{LISTS}, "zone": [], "rules": {{}}}}', 409, "changed by somebody else"),
        (ADDRESS, "PUT", f'{{{LISTS}, "zone": [{{"at": -1, "value": {{}}}}], "rules": {{}}}}', 400, "at is"),
        (ADDRESS, "PUT", f'{{{LISTS}, "zone": [{{"at": 0, "value": []}}], "rules": {{}}}}', 400, "zone is"),
        ("/api/config/undo", "POST", "[]", 400, "expected"),
        ("/api/config/undo", "POST", '{"hash": "x"}', 409, "changed by somebody else"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_sentence(page, path, method, body, status, said):
    """And nothing changes."""
    answer = page.ask(path, method, body=body)
    assert (answer.status, said in answer.body.decode()) == (status, True), answer.body
    assert answer.body.decode().count("\n") == 1


def test_what_is_not_valid_is_said_with_its_line(page, tmp_path):
    """As check-config says it."""
    bad = {"at": None, "value": {"name": "bay", "area": [0.9, 0.1, 0.2, 0.2]}}
    answer = put(page, page.ask(ADDRESS).json()["hash"], bad)
    assert (answer.status, answer.body.decode().startswith('cameras.toml:8: camera "gate": zone "bay": area: ')) == (422, True)
    assert (tmp_path / "cameras.toml").read_text() == TEXT


def test_errors_show_no_password(page, tmp_path):
    """Nor the path of the file."""

    def apply(_config):
        raise ConfigError(f"{tmp_path}/cameras.toml:4: rtsp://admin:secret@10.0.0.7/1: nobody is there")

    page.config._apply = apply
    answer = put(page, page.ask(ADDRESS).json()["hash"], ZONE)
    assert answer.body == b"cameras.toml:4: rtsp://10.0.0.7: nobody is there\n"


def test_a_read_only_file_is_said(page, tmp_path):
    """With a code of its own."""
    (tmp_path / "cameras.toml").chmod(0o444)
    answer = put(page, page.ask(ADDRESS).json()["hash"], ZONE)
    assert (answer.status, answer.body) == (423, b"cameras.toml is read-only, so nothing can be changed here\n")


def test_a_full_disk_is_said(page, tmp_path, monkeypatch):
    """With its own code, and nothing has changed, whether it is full at the first file or a later one."""
    digest = page.ask(ADDRESS).json()["hash"]
    for full in ("edgecls.web.config.file.whole_file", "edgecls.web.config.file._own_alike"):

        def fail(*_, **__):
            raise OSError(28, "No space left on device", str(tmp_path / ".cameras.part.toml"))

        with monkeypatch.context() as patched:
            patched.setattr(full, fail)
            answer = put(page, digest, ZONE)
        assert (answer.status, answer.body.count(b"\n")) == (507, 1)
        assert b"No space left on device" in answer.body
        assert str(tmp_path).encode() not in answer.body
    assert (tmp_path / "cameras.toml").read_text() == TEXT


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}])
def test_another_site_changes_nothing(page, tmp_path, headers):
    """As everywhere."""
    assert put(page, page.ask(ADDRESS).json()["hash"], ZONE, **headers).status == 403
    assert (tmp_path / "cameras.toml").read_text() == TEXT


def test_a_page_without_a_file_changes_nothing():
    """And says so."""
    with served() as page:
        for method, path in (("GET", ADDRESS), ("POST", "/api/config/undo")):
            answer = page.ask(path, method, body='{"hash": ""}')
            assert (answer.status, answer.body) == (404, b"this run has no cameras.toml that the page may change\n")


def test_the_schema_has_limits_and_explanations(page):
    """Of zones, lines and rules."""
    schema = page.ask("/api/config/schema").json()
    assert schema["$defs"]["StateSettings"]["properties"]["share"]["maximum"] == 1
    assert schema["$defs"]["Zone"]["properties"]["dwell_s"]["description"].startswith("How long an object must stay")
