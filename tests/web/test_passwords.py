"""The file of passwords, and logging in."""

from __future__ import annotations

import json
import stat

import pytest

from edgecls.errors import ConfigError
from edgecls.web.login.passwords import Passwords, Visitor, add_token, remove_token, set_password
from edgecls.web.login.sessions import FREE_TRIES, MOST_SESSIONS, SESSION_S, TRIES_A_MINUTE, Sessions

RIGHT = "correct horse battery"


@pytest.fixture
def file(tmp_path):
    """A file with the password of anna."""
    path = tmp_path / "passwords.json"
    set_password(path, "anna", RIGHT)
    return path


class Clock:
    """Seconds that pass when told to."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_only_the_right_password_of_a_known_user_is_accepted(file):
    """Not that of another user, nor an empty or a very long one."""
    set_password(file, "ben", "another password of ben")
    passwords = Passwords(file)
    assert passwords.accepts("anna", RIGHT)
    assert not any(
        passwords.accepts(*pair) for pair in (("ben", RIGHT), ("anna", ""), ("", ""), ("anna", RIGHT * 1000), ("x", RIGHT))
    )


def test_the_file_is_private_and_holds_no_password(file):
    """Its owner may read it, and what is in it is a salted hash, another one each time."""
    before = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert RIGHT not in before
    set_password(file, "anna", RIGHT)
    assert file.read_text() != before
    assert Passwords(file).accepts("anna", RIGHT)


@pytest.mark.parametrize("password", ["short", "elevenchars", "x" * 1025])
def test_a_password_of_the_wrong_length_is_refused(tmp_path, password):
    """And nothing is written."""
    with pytest.raises(ConfigError, match="has 12 to 1024 characters"):
        set_password(tmp_path / "p.json", "anna", password)
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"version": 1, "users": {"a": {}}}', '{"version": 1, "users": {"a": {"salt": "xy", "hash": "z"}}}'],
)
def test_another_file_is_refused_in_one_line(tmp_path, content):
    """It is not overwritten either."""
    path = tmp_path / "p.json"
    path.write_text(content)
    for act in (lambda: Passwords(path), lambda: set_password(path, "anna", RIGHT)):
        with pytest.raises(ConfigError, match="not a file of passwords; make one with edgecls web set-password"):
            act()
    assert path.read_text() == content


def test_a_file_of_another_version_is_refused(tmp_path):
    """With both versions."""
    (tmp_path / "p.json").write_text(json.dumps({"version": 2, "users": {}}))
    with pytest.raises(ConfigError, match="version 2; this edgecls reads version 1"):
        Passwords(tmp_path / "p.json")


def test_a_session_ends_by_logging_out_or_with_time(file):
    """Any other text is no session."""
    clock = Clock()
    sessions = Sessions(Passwords(file), clock=clock)
    first, second = (sessions.log_in("anna", RIGHT, "10.0.0.1") for _ in range(2))
    assert first != second
    assert sessions.visitor(first)
    sessions.log_out(first)
    assert not sessions.visitor(first)
    assert not any(sessions.visitor(text) for text in ("", "x", "\udcff", second[:-1]))
    clock.now += SESSION_S - 1
    assert sessions.visitor(second)
    clock.now += 2
    assert not sessions.visitor(second)


def test_wrong_passwords_make_the_address_wait_and_no_other(file):
    """Longer with each try; the right password ends it, but not during the wait."""
    clock = Clock()
    sessions = Sessions(Passwords(file), clock=clock)
    for _ in range(FREE_TRIES):
        with pytest.raises(PermissionError, match="wrong"):
            sessions.log_in("anna", "wrong", "10.0.0.1")
    with pytest.raises(PermissionError, match="Wait 1 s"):
        sessions.log_in("anna", RIGHT, "10.0.0.1")
    assert sessions.log_in("anna", RIGHT, "10.0.0.2")
    clock.now += 1.5
    with pytest.raises(PermissionError, match="wrong"):
        sessions.log_in("anna", "wrong", "10.0.0.1")
    with pytest.raises(PermissionError, match="Wait 2 s"):
        sessions.log_in("anna", RIGHT, "10.0.0.1")
    clock.now += 2.5
    assert sessions.log_in("anna", RIGHT, "10.0.0.1")


def test_wrong_passwords_of_an_ipv6_network_count_together(file):
    """Its addresses may all be those of one visitor; its neighbour does not wait."""
    sessions = Sessions(Passwords(file), clock=Clock())
    for i in range(FREE_TRIES):
        with pytest.raises(PermissionError, match="wrong"):
            sessions.log_in("anna", "wrong", f"2001:db8:0:1::{i}")
    with pytest.raises(PermissionError, match="Wait 1 s"):
        sessions.log_in("anna", RIGHT, "2001:db8:0:1::9")
    assert sessions.log_in("anna", RIGHT, "2001:db8:0:2::9")


def test_tries_are_limited_altogether(file, monkeypatch):
    """However many addresses they come from."""
    clock = Clock()
    sessions = Sessions(Passwords(file), clock=clock)
    monkeypatch.setattr(Passwords, "accepts", lambda *_: False)
    for i in range(TRIES_A_MINUTE):
        with pytest.raises(PermissionError, match="wrong"):
            sessions.log_in("anna", "x", f"10.0.0.{i}")
    with pytest.raises(PermissionError, match="Wait 60 s"):
        sessions.log_in("anna", "x", "10.0.1.1")


def test_the_oldest_session_makes_room(file, monkeypatch):
    """There are never more than MOST_SESSIONS."""
    clock = Clock()
    sessions = Sessions(Passwords(file), clock=clock)
    monkeypatch.setattr(Passwords, "accepts", lambda *_: True)
    found = []
    for i in range(MOST_SESSIONS + 1):
        clock.now += 60
        found.append(sessions.log_in("anna", "x", f"{i}"))
    assert not sessions.visitor(found[0])
    assert sessions.visitor(found[-1])


def test_roles_and_old_files(file):
    """Users of a file without roles may edit; a new password leaves the role as it was."""
    old = json.loads(file.read_text())
    del old["users"]["anna"]["role"]
    file.write_text(json.dumps(old))
    set_password(file, "ben", RIGHT, "view")
    set_password(file, "ben", "another password of ben")
    passwords = Passwords(file)
    assert [passwords.role_of(user) for user in ("anna", "ben", "nobody")] == ["edit", "view", "view"]
    file.write_text(file.read_text().replace('"view"', '"root"'))
    with pytest.raises(ConfigError, match="not a file of passwords"):
        Passwords(file)


def test_a_token_is_shown_once_and_can_be_removed(file):
    """The file holds a hash; another text, a hash or an empty one opens nothing."""
    token = add_token(file, "report")
    other = add_token(file, "upload", "edit")
    stored = json.loads(file.read_text())["tokens"]["report"]["hash"]
    assert token not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    passwords = Passwords(file)
    assert (passwords.of_token(token), passwords.of_token(other)) == (Visitor("report", "view"), Visitor("upload", "edit"))
    assert [passwords.of_token(text) for text in ("", "x", stored, token[:-1], "\udcff")] == [None] * 5
    with pytest.raises(ConfigError, match="has a token 'report' already"):
        add_token(file, "report")
    remove_token(file, "report")
    assert passwords.of_token(token) is None
    with pytest.raises(ConfigError, match="has no token 'report'; expected one of upload"):
        remove_token(file, "report")
    assert Passwords(file).accepts("anna", RIGHT)


def test_a_change_of_the_file_is_in_force_at_once(file):
    """Another password or role, a user who is gone; a damaged file changes nothing."""
    sessions = Sessions(Passwords(file))
    session = sessions.log_in("anna", RIGHT, "10.0.0.1")
    set_password(file, "anna", RIGHT + "!", "view")
    assert sessions.visitor(session) is None
    session = sessions.log_in("anna", RIGHT + "!", "10.0.0.1")
    assert sessions.visitor(session) == Visitor("anna", "view")
    good = file.read_text()
    file.write_text("{")
    assert sessions.visitor(session) == Visitor("anna", "view")
    file.write_text(good.replace('"anna"', '"other"'))
    assert sessions.visitor(session) is None
