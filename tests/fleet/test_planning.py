"""What a roll-out decides, and what its messages may look like: without a broker."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgecls.errors import ConfigError
from edgecls.fleet import Desired, Device, Reported, RollOut, Update, judge
from edgecls.fleet.desired import LARGEST
from edgecls.fleet.reported import to_json
from edgecls.fleet.rollout import parse_share, parse_stages
from edgecls.fleet.topics import device_in, topic_of
from edgecls.fleet.updates import pause_s

SHA256 = "9c" * 32
ROLL_OUT = RollOut("7-3f2a", "https://host/7.bundle", SHA256, 7, wait_s=100.0, settle_s=10.0)
NAMES = [f"roof-{number:04d}" for number in range(1000)]


def device(state: str | None = "applied", *, online: bool | None = True, why: str = "", **known) -> Device:
    """A device that has answered with this state, last heard of at 0."""
    update = Update() if state is None else Update(state, why, ROLL_OUT.id, 7)
    faults = known.pop("faults", ())
    reported = Reported(update=update, faults=faults, every_s=60.0)
    applied_at = 0.0 if state == "applied" else None
    known = {"applied_at": applied_at, "unwell_at": 0.0 if faults else None} | known
    return Device(known.pop("name", "one"), is_online=online, reported=reported, heard_at=known.pop("heard_at", 0.0), **known)


def among(stages: list[list[str]]) -> list[str]:
    """The devices of all stages, sorted."""
    return sorted(name for stage in stages for name in stage)


def stands(*devices: Device, now: float = 20.0, rollout: RollOut = ROLL_OUT):
    """How the stage stands."""
    return judge(rollout, devices, began_at=0.0, now=now)


def test_stages_are_shares_by_a_hash_that_every_machine_computes():
    """About 1, 9, 40 and 50 % of the devices, each in one stage, the same in any order; another roll-out has other ones."""
    stages = ROLL_OUT.stages_of(NAMES)
    assert [len(stage) for stage in stages] == pytest.approx([10, 90, 400, 500], rel=0.5)
    assert among(stages) == NAMES
    assert ROLL_OUT.stages_of(NAMES[::-1]) == stages
    assert replace(ROLL_OUT, id="8-ab").stages_of(NAMES)[0] != stages[0]
    more = ROLL_OUT.stages_of([*NAMES, "new"])
    assert [[name for name in stage if name != "new"] for stage in more] == stages


@pytest.mark.parametrize("count", [1, 2, 20])
def test_the_first_stage_has_a_device_however_few_there_are(count):
    """One percent of three devices is one."""
    assert len(ROLL_OUT.stages_of(NAMES[:count])[0]) == 1


def test_only_devices_of_the_pattern_are_told():
    """As in a shell."""
    rollout = replace(ROLL_OUT, devices="roof-00?1")
    assert among(rollout.stages_of(NAMES)) == [f"roof-00{number}1" for number in range(10)]
    assert among(replace(ROLL_OUT, devices="cellar-*").stages_of(NAMES)) == []


def test_a_stage_is_over_when_all_have_stayed_healthy():
    """Not while one is at it, and not before they have settled."""
    assert stands(device(), device()).verdict == "next"
    assert stands(device(), device(), now=9.0).verdict == "wait"
    for state in ("waiting", "downloading", "verified", "on trial"):
        standing = stands(device(), device(state))
        assert (standing.verdict, standing.busy) == ("wait", {state: 1})
    assert str(stands(device(), device("waiting"), device(None))) == "1 applied, 1 waiting, 1 told"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (device("refused", why="its signature is wrong"), "refused: its signature is wrong"),
        (device("rolled back", why="40 % are unknown"), "rolled back: 40 % are unknown"),
        (device(faults=("camera north: lost",)), "unhealthy: camera north: lost"),
        (device(heard_at=-200.0), "it went silent"),
        (device(online=False, heard_at=-200.0), "it went offline"),
    ],
)
def test_what_stops_a_stage(bad, why):
    """More failures than the share that may fail, and it is said which and why."""
    standing = stands(bad, *[device() for _ in range(8)])
    assert standing.verdict == "stop"
    assert standing.why == f"stage 1: 1 of 9 devices failed, at most 10% may; the first: one: {why}"
    assert stands(bad, *[device() for _ in range(9)]).verdict == "next"


@pytest.mark.parametrize(
    ("state", "why"),
    [(None, "it has not answered after 100 s"), ("downloading", "it is still downloading after 100 s")],
)
def test_a_device_that_takes_too_long_has_failed(state, why):
    """When the wait of its stage is over; before that it is waited for."""
    assert stands(device(state)).verdict == "wait"
    assert why in stands(device(state), now=101.0).why


def test_a_fault_of_before_does_not_count_and_a_short_one_neither():
    """Nor does the device hold the stage up."""
    ill = device(faults=("camera north: lost",))
    assert stands(ill, rollout=replace(ROLL_OUT, unwell=("one",))).verdict == "next"
    assert stands(device(faults=("camera north: lost",), unwell_at=15.0)).verdict == "wait"


def test_those_that_are_away_are_not_waited_for():
    """They hold up nothing and stop nothing; but if none is there at all, nothing is known of the bundle."""
    away = device(None, online=False, heard_at=-9e9)
    standing = stands(device(), away, away)
    assert (standing.verdict, len(standing.away)) == ("next", 2)
    assert stands(away).verdict == "wait"
    assert stands(away, now=101.0).why == "no device of stage 1 was online within 100 s"


def test_messages_come_back_as_they_were():
    """Desired, the roll-out, and what is reported."""
    for action in ("apply", "back", "stay"):
        desired = ROLL_OUT.desired(action)
        assert Desired.parse(desired.to_json().encode()) == desired
    rollout = replace(ROLL_OUT, unwell=("a", "b"), stage=2, state="stopped", why="so")
    assert RollOut.parse(rollout.to_json().encode()) == rollout
    assert Desired.parse(b"") is RollOut.parse(b"") is None
    found = Reported.parse(to_json({"faults": ["x"], "edgecls": "0.3.0"}, Update("refused", "no", "7-a", 7)).encode())
    assert (found.update, found.faults, found.edgecls) == (Update("refused", "no", "7-a", 7), ("x",), "0.3.0")


GOOD = json.loads(ROLL_OUT.desired().to_json())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[" * 10_000, "is not JSON"),
        (b"7", "is not a JSON object"),
        (b" " * (LARGEST + 1), "expected at most 16,384"),
        ({"schema": 2}, "has schema 2, this edgecls knows 1"),
        ({"rollout": "a b"}, "desired.rollout"),
        ({"rollout": 7}, "desired.rollout"),
        ({"action": "run"}, "desired.action: expected apply, back, stay"),
        ({"version": "7"}, "desired.version"),
        ({"version": True}, "desired.version"),
        ({"version": 0}, "desired.version"),
        ({"sha256": SHA256[1:]}, "desired.sha256"),
        ({"url": ""}, "desired.url"),
        ({"url": "https://" + "x" * 3000}, "desired.url"),
        ({"settings": 7}, "desired.settings.spread_s"),
        ({"settings": {"spread_s": -1}}, "desired.settings.spread_s"),
        ({"settings": {"spread_s": 1e9}}, "desired.settings.spread_s"),
    ],
)
def test_a_bad_message_is_one_line(content, why):
    """Whatever its content is."""
    payload = content if isinstance(content, bytes) else json.dumps(GOOD | content).encode()
    with pytest.raises(ConfigError, match=why) as raised:
        Desired.parse(payload)
    assert len(str(raised.value)) < 300


def test_what_a_later_version_adds_is_ignored():
    """In the message and in its settings."""
    assert Desired.parse(json.dumps(GOOD | {"more": 1, "settings": {"spread_s": 5, "other": []}}).encode()).spread_s == 5


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"schema": 2}', b'{"schema": 1', b"\xff", b"1" * 300_000])
def test_what_no_device_reports_is_none(content):
    """Whoever may write to a topic can break nothing."""
    assert Reported.parse(content) is None


def test_a_report_of_other_types_is_read_as_far_as_it_goes():
    """A field of another type is as if it were left out."""
    found = Reported.parse(
        b'{"schema": 1, "update": 7, "bundle": {"version": "x"}, "faults": {}, "cameras": 3, "every_s": 1e99}'
    )
    assert found == replace(Reported(), record=found.record, every_s=1.0)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema": 2}', b'{"schema": 1}', b'{"schema": 1, "id": "a"}'])
def test_a_bad_roll_out_is_one_line(content):
    """It may have been written by anyone."""
    with pytest.raises(ConfigError, match=r"cannot be read|another version"):
        RollOut.parse(content)


@pytest.mark.parametrize("name", ["roof-17", "a/b", "a+b#", "Dach 17", "ü"])
def test_names_come_back_from_topics(name):
    """Whatever characters they have."""
    topic = topic_of("home/fleet", name, "reported")
    assert topic.count("/") == 3
    assert device_in("home/fleet", topic) == (name, "reported")


@pytest.mark.parametrize("topic", ["home/fleet/roll-out", "home/other/a/reported", "home/fleet/a/state", "home/fleet//status"])
def test_other_topics_are_of_no_device(topic):
    """The roll-out has a topic of its own."""
    assert device_in("home/fleet", topic) == ("", "")


def test_devices_do_not_pull_at_once():
    """Their times are spread evenly, and a device keeps its own."""
    desired = replace(ROLL_OUT.desired(), spread_s=100.0)
    waits = sorted(pause_s(desired, name) for name in NAMES)
    assert waits[0] < 2
    assert waits[-1] > 98
    assert waits[500] == pytest.approx(50, abs=8)
    assert pause_s(desired, "a") == pause_s(desired, "a")


def test_shares_and_stages_are_read():
    """As they are given on the command line."""
    assert parse_stages("1%,10%, 100%") == (0.01, 0.1, 1.0)
    assert parse_share("0%", "stop_at") == 0.0
    for text in ("", "10", "1%,1%,100%", "10%,5%,100%", "0%,100%", "10%,50%", "x%"):
        with pytest.raises(ConfigError, match="`stages`: expected"):
            parse_stages(text)
