"""Labels given on the page in a real browser, by keys alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from edgecls.store import Store
from tests.live.port import own_port
from tests.web.served import served
from tests.web.test_accessible import faults
from tests.web.test_teach import COLORS, COUNT, draw_store, labels, without_backbone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NUMBERS = "all => all.map(one => Number(one.src.split('/').at(-1)))"
SERVER = """
import sys, time
from tests.web.served import served
from tests.web.test_teach import without_backbone
import edgecls.labelling.positions
edgecls.labelling.positions.open_backbone = without_backbone
with served("gate", sinks=[f"collect:{sys.argv[1]}"], listen=int(sys.argv[2])):
    print("serving", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def truth(tmp_path, monkeypatch):
    """A drawn store."""
    monkeypatch.setattr("edgecls.labelling.positions.open_backbone", without_backbone)
    return draw_store(tmp_path / "pictures")


def shown(tab) -> list[int]:
    """Return the numbers of the pictures on the sheet, when the page waits for a key."""
    tab.locator('.sheet[aria-busy="false"]').wait_for(state="attached")
    return tab.locator(".sheet img").evaluate_all(NUMBERS)


def stroke(tab, *keys: str) -> None:
    """Press keys, and wait until their label is acknowledged."""
    before = tab.locator(".said").text_content()
    for key in keys:
        tab.keyboard.press(key)
    tab.wait_for_function("before => document.querySelector('.said').textContent !== before", arg=before)
    shown(tab)


def test_a_store_is_labelled_by_keys_alone(tab, truth, tmp_path):
    """New classes, numbers, a selection with Shift, a confirmed proposal, unusable, undo: all of it is on the disk."""
    folder, confirmed, undone = tmp_path / "pictures", 0, False
    with served(sinks=[f"collect:{folder}"]) as page:
        tab.goto(f"http://127.0.0.1:{page.server.port}/#/")
        tab.get_by_role("link", name="Teach").focus()
        tab.keyboard.press("Enter")
        tab.locator(".sheet li").first.wait_for()
        assert faults(tab) == []
        for _ in range(40):
            pictures = shown(tab)
            if not pictures:
                break
            name = truth[pictures[0]]
            run = next((i for i, one in enumerate(pictures) if truth[one] != name), len(pictures))
            tab.keyboard.press("Home")
            for _ in range(run - 1):
                tab.keyboard.press("Shift+ArrowRight")
            if run == 1 < len(pictures):
                tab.keyboard.press("Shift+ArrowRight")
                tab.keyboard.press("Shift+ArrowLeft")
            known = tab.get_by_role("group", name="Classes").locator("button span:not(.quiet)").all_text_contents()
            if name not in known:
                tab.keyboard.press("n")
                tab.keyboard.type(name)
                stroke(tab, "Enter")
            elif tab.get_by_role("button", name=f"Confirm: {name}").count() and not confirmed:
                stroke(tab, "Enter")
                confirmed += 1
            else:
                stroke(tab, str(known.index(name) + 1))
            assert {labels(folder)[one] for one in pictures[:run]} == {name}
            if not undone:
                undone = True
                stroke(tab, "u")
                assert set(labels(folder).values()) == {""}
                assert shown(tab) == pictures
        tab.get_by_text("No picture waits for a label.").wait_for()
        assert labels(folder) == truth
        assert confirmed == 1
        stroke(tab, "u")
        stroke(tab, "x")
        stroke(tab, "u")
        stroke(tab, "s")
        assert "unusable" not in labels(folder).values()
        assert Counter(labels(folder).values())["red"] <= COUNT


@contextmanager
def process_of(store: Path, port: int) -> Iterator[subprocess.Popen]:
    """Serve the page of a store in a process of its own, at this port."""
    command = [sys.executable, "-c", SERVER, str(store), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "serving\n"
        try:
            yield process
        finally:
            process.kill()


def test_500_pictures_by_keys_alone_while_the_run_is_killed(tab, tmp_path):
    """Twice with SIGKILL, as a label is sent: what the page has acknowledged is on the disk, and the work goes on."""
    folder = tmp_path / "pictures"
    truth = draw_store(folder, 167)
    acknowledged: dict[int, str] = {}
    port, kills = own_port(), [0.0, 0.01]
    strokes = 0
    with ExitStack() as stack:
        process = stack.enter_context(process_of(folder, port))
        tab.goto(f"http://127.0.0.1:{port}/#/teach")
        tab.locator(".sheet li").first.wait_for()
        while pictures := shown(tab):
            name = truth[pictures[0]]
            run = next((i for i, one in enumerate(pictures) if truth[one] != name), len(pictures))
            if run < len(pictures):  # otherwise all that are selected have one label
                for key in ("a", "a", "Home", "Space", *["Shift+ArrowRight"] * (run - 1)) if run > 1 else ("a", "Space"):
                    tab.keyboard.press(key)
            chosen = tab.locator('.sheet [aria-selected="true"] img').evaluate_all(NUMBERS)
            assert {truth[one] for one in chosen} == {name}
            known = tab.get_by_role("group", name="Classes").locator("button span:not(.quiet)").all_text_contents()
            if name in known:
                keys = [str(known.index(name) + 1)]
            else:
                tab.keyboard.press("n")
                tab.keyboard.type(name)
                keys = ["Enter"]
            strokes += 1
            if strokes % 4 == 3 and kills:
                before = tab.locator(".said").text_content()
                tab.keyboard.press(keys[0])
                time.sleep(kills.pop())
                process.kill()
                process.wait()
                tab.locator('.sheet[aria-busy="false"]').wait_for(state="attached")
                if tab.locator(".said").text_content() != before:
                    acknowledged |= dict.fromkeys(chosen, name)
                assert acknowledged.items() <= labels(folder).items()
                process = stack.enter_context(process_of(folder, port))
                tab.reload()
                tab.locator(".sheet li").first.wait_for()
            else:
                stroke(tab, *keys)
                acknowledged |= dict.fromkeys(chosen, name)
        assert labels(folder) == truth
        assert not kills
        assert len(truth) > 500


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_suspects_are_corrected_and_nothing_serious_is_found(tab, truth, tmp_path, scheme):
    """The one wrong label is shown with its reason; Enter gives the other one. axe-core finds nothing serious."""
    tab.emulate_media(color_scheme=scheme)
    wrong = next(number for number, color in truth.items() if color == "red")
    with Store(tmp_path / "pictures") as store:
        for name in COLORS:
            store.label([number for number, color in truth.items() if color == name], name)
        store.label([wrong], "blue")
    with served(sinks=[f"collect:{tmp_path}/pictures"]) as page:
        tab.goto(f"http://127.0.0.1:{page.server.port}/#/teach")
        tab.get_by_text("No picture waits for a label.").wait_for()
        assert faults(tab) == []
        tab.get_by_role("button", name="Suspected errors").click()
        tab.get_by_role("option", name="blue, rather red").wait_for()
        assert faults(tab) == []
        tab.get_by_role("listbox").focus()
        stroke(tab, "c")
        tab.get_by_text("1 picture confirmed.").wait_for()
        tab.get_by_role("button", name="Suspected errors").click()
        assert wrong not in shown(tab)
        stroke(tab, "u")
        tab.get_by_role("option", name="blue, rather red").wait_for()
        tab.get_by_role("listbox").focus()
        stroke(tab, "Enter")
        assert labels(tmp_path / "pictures") == truth


def test_without_a_store_the_page_says_what_to_configure(tab):
    """In one sentence, with the line to add."""
    with served() as page:
        tab.goto(f"http://127.0.0.1:{page.server.port}/#/teach")
        tab.get_by_text('sinks = ["collect:pictures"]').wait_for()
        assert tab.locator(".sheet:visible").count() == 0
        assert faults(tab) == []
