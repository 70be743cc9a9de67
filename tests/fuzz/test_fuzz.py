"""No input ends edgecls otherwise than it says: with a result, or with one line and exit code 1 or 2.

A few seconds as part of all tests, always with the same inputs; for longer, with new ones each time:

    pytest tests/fuzz --fuzz-minutes 120            in turns over all targets
    pytest tests/fuzz --fuzz-minutes 10 -k cards    or over one

What fails is made as small as Hypothesis can and stays in the folder that the message names.
"""

from __future__ import annotations

import sys
import time
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz import data, keras_models, models, pictures, state
from tests.fuzz.caller import Caller, Tally
from tests.fuzz.case import Case, Target, write_good_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EXAMPLES = 12
"""For a light target, as part of all tests."""
BATCH_S = 60.0
"""Seconds that examples of one seed take, in a long run."""
SHRINK_S = 60.0
"""What fails may be made smaller for so much longer."""
TARGETS = (
    Target("pictures", pictures.pictures),
    Target("videos", pictures.videos),
    Target("manifests", data.manifests),
    Target("npz", data.npz),
    Target("settings", data.settings),
    Target("variables", data.plain_variables, data.variables),
    Target("recordings", data.recordings),
    Target("ladders", data.ladders),
    Target("cards", models.cards),
    Target("graphs", models.graphs),
    Target("foreign", models.foreign, weight=2),
    Target("spools", state.spools, weight=3),
    Target("sidecars", state.sidecars),
    Target("databases", state.databases),
    Target("addresses", cases=state.addresses, weight=2),
    Target("keras", keras_models.keras_files, weight=8, keras=True),
    Target("h5", keras_models.h5_files, weight=8, keras=True),
    Target("run_folders", keras_models.run_folders, weight=8, keras=True),
)
each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@pytest.fixture(scope="module")
def plain_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the good files, but for those of Keras."""
    folder = tmp_path_factory.mktemp("good")
    write_good_files(folder)
    return folder


@pytest.fixture(scope="module")
def keras_files(plain_files: Path) -> Path:
    """The same with files of Keras."""
    pytest.importorskip("keras")
    keras_models.write_keras_files(plain_files)
    return plain_files


@pytest.fixture
def good(target: Target, request: pytest.FixtureRequest) -> Path:
    """The folder with the good files that a target needs."""
    return request.getfixturevalue("keras_files" if target.keras else "plain_files")  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def callers() -> Iterator[Callable[[Target], Caller]]:
    """The server for a target, started when it is first asked for."""
    started: dict[bool, Caller] = {}

    def caller(target: Target) -> Caller:
        if target.keras not in started:
            started[target.keras] = Caller(*(["--keras"] if target.keras else []))
        return started[target.keras]

    yield caller
    for one in started.values():
        one.close()


@pytest.mark.timeout(0)
@each_target
def test_what_is_not_spoiled_is_taken(target: Target, good: Path, callers: Any) -> None:
    """So what is spoiled reaches what is to be tried, and is not refused for another reason."""
    tried: list[Case] = []
    for one in target.seeds(good):
        if one.case in tried:
            continue
        tried.append(one.case)
        outcome, wrong = callers(target).call(one.case, target.name)
        assert not wrong
        assert outcome.code == one.code, f"{one.case!r}\n{outcome.stderr}"


@pytest.mark.timeout(0)
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # of how long a case is when it is printed
@each_target
def test_no_input_breaks_it(target: Target, good: Path, callers: Any, request: pytest.FixtureRequest, capsys: Any) -> None:
    """Every call ends in time, in little memory, with an exit code that means something, and without a traceback."""
    minutes = request.config.getoption("--fuzz-minutes")
    tally = Tally()
    if not minutes:
        _fuzz(target, good, callers(target), tally, examples=max(2, EXAMPLES // target.weight))
        return
    turns = sum(item.originalname == request.node.originalname for item in request.session.items)
    until, number = time.monotonic() + 60 * minutes / turns, time.time_ns()
    try:
        while time.monotonic() < until:
            number += 1
            batch_until = min(until, time.monotonic() + BATCH_S)
            _fuzz(target, good, callers(target), tally, examples=10_000, number=number, until=batch_until)
    finally:
        with capsys.disabled():
            sys.stdout.write(f"\n{target.name}: {tally}\n")


def _fuzz(
    target: Target, good: Path, caller: Caller, tally: Tally, *, examples: int, number: int | None = None, until: float = inf
) -> None:  # fmt: skip
    """Try cases: always the same `examples`, or those that follow from `number`, as many as there is time for."""
    failures: list[str] = []

    @given(target.strategy(good))
    @settings(
        max_examples=examples, deadline=None, derandomize=number is None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    def attempt(case: Case) -> None:
        if time.monotonic() > until + (SHRINK_S if failures else 0):
            raise _TimeIsUpError
        outcome, wrong = caller.call(case, target.name)
        tally.add(case, outcome)
        failures.extend([wrong] if wrong else [])
        assert not wrong, wrong

    try:
        (attempt if number is None else seed(number)(attempt))()
    except _TimeIsUpError:
        assert not failures, failures[-1]


class _TimeIsUpError(BaseException):
    """Ends a batch: Hypothesis passes on what is no Exception."""
