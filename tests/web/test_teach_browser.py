"""Labels given on the page in a real browser, by keys alone."""

from __future__ import annotations

from collections import Counter

import pytest

from edgecls.store import Store
from tests.web.served import served
from tests.web.test_accessible import faults
from tests.web.test_teach import COLORS, COUNT, draw_store, labels, without_backbone


@pytest.fixture
def truth(tmp_path, monkeypatch):
    """A drawn store."""
    monkeypatch.setattr("edgecls.labelling.positions.open_backbone", without_backbone)
    return draw_store(tmp_path / "pictures")


def shown(tab) -> list[int]:
    """Return the numbers of the pictures on the sheet, when the page waits for a key."""
    tab.locator('.sheet[aria-busy="false"]').wait_for(state="attached")
    return tab.locator(".sheet img").evaluate_all("all => all.map(one => Number(one.src.split('/').at(-1)))")


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
        stroke(tab, "Enter")
        assert labels(tmp_path / "pictures") == truth


def test_without_a_store_the_page_says_what_to_configure(tab):
    """In one sentence, with the line to add."""
    with served() as page:
        tab.goto(f"http://127.0.0.1:{page.server.port}/#/teach")
        tab.get_by_text('sinks = ["collect:pictures"]').wait_for()
        assert tab.locator(".sheet:visible").count() == 0
        assert faults(tab) == []
