"""The pages about models and the machine in a real browser, on a desktop in the dark and on a phone."""

from __future__ import annotations

import pytest

from tests.drift.simulated import simulated
from tests.run.world import event
from tests.web.models_run import LABELS, models_page, write_model
from tests.web.test_accessible import faults

CLEAN = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A run with 1,000 labels, a shadow without a card, a camera with drift, and a broker that cannot be reached."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "schatten.onnx", is_bare=True)
    config = f'sinks = ["mqtt://127.0.0.1:1/x"]\n[shadow]\nmodel = "{folder}/schatten.onnx"\n'
    drifts = (simulated("gate"), simulated("Hof-Süd", days=1))
    with models_page(folder, count=1000, config=config, drifts=drifts) as (page, run):
        for sink in run.sinks:
            sink.write_event(event(1))
        yield f"http://127.0.0.1:{page.server.port}/#", folder


def test_the_models_and_their_drift_are_shown(tab, running):
    """Labels are texts, long lists are folded, charts have tables, a self-test is done again by keys; then on a phone."""
    address, _ = running
    tab.emulate_media(color_scheme="dark")
    tab.goto(f"{address}/")
    tab.get_by_role("link", name="Model").click()
    card = tab.get_by_role("article", name="licht.onnx")
    card.wait_for()
    assert card.locator("details[open]").count() == 0
    card.get_by_text("1,000 labels", exact=True).click()
    for label in LABELS:
        assert card.get_by_role("rowheader", name=label, exact=True).count() >= 1
    assert card.locator("table").filter(has_text="95 % interval").locator("tbody tr").count() == 1000
    assert tab.locator("main b, main script").count() == 0
    assert card.get_by_role("img", name="Reliability of licht.onnx").locator(".bar-right").count() == 14
    card.get_by_role("button", name="Test again").focus()
    with tab.expect_response("**/test") as tested:
        tab.keyboard.press("Enter")
    assert tested.value.json()["passed"]
    tab.wait_for_function("() => document.activeElement.textContent === 'Test again'")
    assert "Passed" in card.locator(".testing").text_content()
    assert tab.get_by_role("article", name="schatten.onnx").get_by_text("This file says nothing of").count() == 1
    gate = tab.get_by_role("article", name="Drift of gate")
    assert "lens" in gate.text_content()
    assert gate.get_by_text("clean the lens").count() == 1
    assert gate.get_by_role("img", name="Sharpness at gate").locator("path.beyond").count() == 1
    assert tab.get_by_text("Learning what is usual here").count() == 1
    card.get_by_text("1,000 labels", exact=True).click()
    assert faults(tab) == []
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": 390, "height": 800})
    assert tab.evaluate(CLEAN)


def test_a_file_that_is_deleted_is_seen_while_the_page_is_open(tab, running):
    """And what was unfolded stays so."""
    address, folder = running
    tab.goto(f"{address}/model")
    card = tab.get_by_role("article", name="licht.onnx")
    card.get_by_text("Confusions", exact=True).click()
    path = folder / "licht.onnx"
    kept = path.read_bytes()
    path.unlink()
    card.get_by_role("alert").wait_for()
    assert "deleted" in card.get_by_role("alert").text_content()
    assert card.locator("details[open]").count() == 1
    path.write_bytes(kept)
    card.get_by_role("alert").wait_for(state="detached")


def test_the_machine_its_doctor_and_its_bench(tab, running):
    """The broker is lost with its reason; the doctor finds; the bench is cancelled, and only one runs at a time."""
    address, _ = running
    tab.emulate_media(color_scheme="dark")
    tab.goto(f"{address}/machine")
    tab.get_by_text("cannot be reached").wait_for()
    tab.get_by_role("button", name="Run the doctor").click()
    tab.get_by_role("button", name="Run the bench").click()
    tab.get_by_text("The doctor, on the page Machine, is running; wait for it, or cancel it").wait_for()
    tab.get_by_text("in order").wait_for()
    tab.get_by_role("button", name="Run the bench").click()
    tab.get_by_role("button", name="Cancel the bench").click()
    tab.get_by_text("Cancelled").wait_for()
    assert faults(tab) == []
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": 390, "height": 800})
    assert tab.evaluate(CLEAN)
