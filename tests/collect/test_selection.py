"""Which pictures are kept: few, unlike each other, of all hours, one of an event, and a steady random share."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import edgecls
from edgecls.collect import Candidate, Look, Selection, SelectionSettings
from edgecls.collect.selection import DAY_S, HOUR_S


class Collector:
    """Asks a selection as the sink does, and remembers what it kept: number -> (time, reason)."""

    def __init__(self, seed=0, **settings):
        self.selection = Selection(SelectionSettings(**settings), np.random.default_rng(seed))
        self.kept = {}
        self.looks = 0
        self.count = 0

    def offer(self, at_s, hash_bits, subject="region frame", embedding=None, **fields):
        look = Look(hash_bits, embedding)
        candidate = Candidate(subject, at_s, **fields)
        if not self.selection.may_be_worth(candidate):
            return False
        self.looks += 1
        choice = self.selection.choose(candidate, look)
        if choice is None:
            return False
        self.count += 1
        self.selection.keep(candidate, self.count, look, choice)
        self.kept.pop(choice.replaces, None)
        self.kept[self.count] = (at_s, choice.reason)
        return True


def hashes(seed=0):
    """Random hashes: any two differ in about half of their bits."""
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(0, 1 << 63)) * 2 + int(rng.integers(0, 2))


def test_a_region_is_looked_at_every_few_seconds():
    """25 frames a second for a minute: once in 10 s, each region by itself."""
    collector = Collector(apart_s=10, random=0)
    for i in range(25 * 60):
        collector.offer(i / 25, 0)
        collector.offer(i / 25, 0, subject="region other")
    assert collector.looks == 12


def test_what_looks_alike_is_kept_once():
    """A gate that is closed for a day gives one picture; one that differs in `unlike` bits is another."""
    collector = Collector(random=0, unlike=12)
    for minute in range(24 * 60):
        collector.offer(60.0 * minute, 0b111 if minute % 2 else 0)
    assert len(collector.kept) == 1
    assert not collector.offer(DAY_S, (1 << 11) - 1)
    assert collector.offer(DAY_S + 60, (1 << 12) - 1)


def test_what_was_kept_by_an_earlier_run_is_not_kept_again():
    """The store remembers."""
    collector = Collector(random=0)
    collector.selection.remember(1000, Look(0))
    assert not collector.offer(0.0, 1)


def test_an_event_gives_one_picture():
    """However often it is offered; another event gives another."""
    collector = Collector(random=0)
    new = hashes()
    assert collector.offer(0.0, next(new), "event a", is_event=True)
    assert not collector.offer(100.0, next(new), "event a", is_event=True)
    assert collector.offer(100.0, next(new), "event b", is_event=True)


def test_a_day_has_at_most_so_many_from_all_hours():
    """Something new every ten seconds: the day is full, and each hour has its even share in the end."""
    collector = Collector(per_day=100, random=0.2)
    new = hashes()
    for i in range(int(DAY_S / 10)):
        collector.offer(10.0 * i, next(new))
    assert 80 <= len(collector.kept) <= 100
    hours = Counter(int(at_s // HOUR_S) for at_s, reason in collector.kept.values() if reason != "random")
    assert len(hours) == 24
    assert min(hours.values()) >= 2
    assert max(hours.values()) <= 5


def test_the_hours_of_a_quiet_night_go_to_the_day():
    """Something new from six to ten only: each of these four hours has three times its even share, and none has more."""
    collector = Collector(per_day=96, random=0)
    new = hashes()
    for i in range(6 * 360, 10 * 360):
        collector.offer(10.0 * i, next(new))
    hours = Counter(int(at_s // HOUR_S) for at_s, _ in collector.kept.values())
    assert hours == {6: 12, 7: 12, 8: 12, 9: 12}


def test_the_pictures_of_an_hour_are_spread_in_the_end():
    """Ten classes, nine of which come late, all equally far apart: a full hour makes room for each, and keeps none twice."""
    collector = Collector(per_day=80, random=0, unlike=4)
    new = hashes()
    classes = [next(new) for _ in range(10)]
    rng = np.random.default_rng(3)
    for i in range(360):
        late = int(rng.integers(1, 10)) if i > 250 else 0
        noise = sum(1 << int(bit) for bit in rng.choice(64, 6, replace=False))
        collector.offer(10.0 * i, classes[late] ^ noise)
    seconds = sorted(at_s for at_s, _ in collector.kept.values())
    assert len(seconds) == 10
    assert sum(at_s > 2500 for at_s in seconds) >= 8


def test_embeddings_say_what_looks_alike():
    """Hashes that are equal do not matter where embeddings differ, nor do different hashes where these are equal."""
    collector = Collector(random=0)
    new, embeddings = hashes(), np.eye(4, 16, dtype=np.float32) + 0.01
    assert collector.offer(0.0, 0, embedding=embeddings[0])
    assert not collector.offer(20.0, next(new), embedding=embeddings[0])
    assert collector.offer(40.0, 0, embedding=embeddings[1])
    assert not collector.offer(60.0, 0)


def test_a_restart_does_not_begin_the_day_anew():
    """What an earlier run kept today counts."""
    collector = Collector(per_day=10, random=0)
    new = hashes()
    for i in range(8):
        collector.selection.remember(1000 + i, Look(next(new)), 60.0 * i)
    collector.selection.remember(2000, Look(next(new)), -DAY_S)
    for i in range(10, 100):
        collector.offer(60.0 * i, next(new))
    assert len(collector.kept) == 2


def test_the_next_day_begins_anew():
    """Full days do not stop the following ones."""
    collector = Collector(per_day=10, random=0)
    new = hashes()
    for i in range(int(3 * DAY_S / 60)):
        collector.offer(60.0 * i, next(new))
    assert Counter(int(at_s // DAY_S) for at_s, _ in collector.kept.values()) == {0: 10, 1: 10, 2: 10}


def test_random_pictures_come_at_a_steady_rate_whatever_they_show():
    """Half of 100 a day, at times that no rhythm can meet: 50 +- 20 of pictures that are all alike."""
    collector = Collector(per_day=100, random=0.5)
    for i in range(int(DAY_S / 10)):
        collector.offer(10.0 * i, 0)
    times = [at_s for at_s, reason in collector.kept.values() if reason == "random"]
    assert 30 <= len(times) <= 70
    assert np.histogram(times, bins=4, range=(0, DAY_S))[0].min() >= 4


def test_a_doubtful_picture_takes_the_place_of_a_sure_one():
    """In an hour that is full, the worst one goes; a sure one does not replace a doubtful one."""
    collector = Collector(per_day=8, random=0)
    new = hashes(1)
    assert collector.offer(0.0, next(new), score=0.99)
    assert collector.offer(20.0, next(new), score=0.2)
    assert collector.kept == {2: (20.0, "doubtful")}
    assert collector.offer(40.0, next(new), score=0.2, is_unknown=True)
    assert collector.kept == {3: (40.0, "unknown")}
    assert not collector.offer(60.0, next(new), score=0.99)


@pytest.mark.parametrize(
    ("settings", "message"), [({"per_day": 0}, "per_day"), ({"random": 1.5}, "random"), ({"unlike": 33}, "unlike")]
)
def test_settings_have_limits(settings, message):
    """One line each."""
    with pytest.raises(edgecls.ConfigError, match=message):
        SelectionSettings(**settings)
