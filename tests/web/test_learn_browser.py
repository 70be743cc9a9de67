"""From pictures without a label to a model in place, and back: in a real browser, before a run of a real RTSP camera.

Nothing stands for anything else: labels are given by keys, the real command learns on the real network, and the run takes the
model that it made.
"""

from __future__ import annotations

import pytest

from edgecls.web.login.passwords import set_password
from tests import tiny
from tests.live.rtsp import rtsp_server
from tests.web.learning_run import FPS, draw_store, running, write_camera
from tests.web.served import PASSWORD
from tests.web.test_accessible import faults
from tests.web.test_child import wait_for
from tests.web.test_learn import RULE, checked, key, learned, names
from tests.web.test_teach import labels, without_backbone
from tests.web.test_teach_browser import shown, stroke

COUNT = 8
LEARNED = "light-learned-1.onnx"


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera that shows one second of each class."""
    with rtsp_server(write_camera(tmp_path_factory.mktemp("rtsp")), fps=FPS) as server:
        yield server


def opened(tab, run, scheme="light"):
    """Open Teach."""
    tab.emulate_media(color_scheme=scheme)
    tab.goto(f"http://127.0.0.1:{run.page.server.port}/#/teach")
    tab.get_by_role("heading", name="Learn", exact=True).wait_for()


def button(tab, name):
    """Return a button of the section."""
    return tab.locator(".learn").get_by_role("button", name=name, exact=True)


def press(tab, name):
    """Press a button, whose change must not be refused."""
    with tab.expect_response(lambda answer: answer.request.method == "POST") as found:
        button(tab, name).click()
    assert found.value.status == 200, found.value.text()


def labelled_by_keys(tab, truth, folder):
    """Give all pictures of the test their labels; those that the camera adds are skipped."""
    for _ in range(60):
        if truth.items() <= labels(folder).items():
            return
        pictures = shown(tab)
        mine = [i for i, number in enumerate(pictures) if number in truth]
        if not mine:
            stroke(tab, "s")
            continue
        name = truth[pictures[mine[0]]]
        tab.keyboard.press("a")
        if tab.locator('.sheet li[aria-selected="true"]').count():
            tab.keyboard.press("a")
        tab.keyboard.press("Home")
        for i in range(len(pictures)):
            if i in mine and truth[pictures[i]] == name:
                tab.keyboard.press("Space")
            tab.keyboard.press("ArrowRight")
        known = tab.get_by_role("group", name="Classes").locator("button span:not(.quiet)").all_text_contents()
        if name in known:
            stroke(tab, str(known.index(name) + 1))
        else:
            tab.keyboard.press("n")
            tab.keyboard.type(name)
            stroke(tab, "Enter")


def test_from_labels_by_keys_to_a_model_in_place_and_back(tab, tmp_path, camera, monkeypatch):
    """Label, learn, reload the page meanwhile, compare, shadow, swap, take back. The run loses no camera."""
    monkeypatch.setattr("edgecls.labelling.positions.open_backbone", without_backbone)
    truth = draw_store(tmp_path / "pictures", COUNT, left=2)
    with running(tmp_path, camera.url) as run:
        opened(tab, run)
        tab.get_by_role("region", name="Labels").get_by_role("row", name=f"dark {COUNT - 2} {COUNT - 2} more").wait_for()
        labelled_by_keys(tab, truth, tmp_path / "pictures")
        tab.get_by_role("region", name="Labels").get_by_role("row", name=f"dark {COUNT} {COUNT} more").wait_for()
        tab.get_by_label("Input").select_option("96")
        press(tab, "Learn")
        tab.get_by_role("progressbar").wait_for()
        assert button(tab, "Learn").is_disabled()
        tab.reload()
        tab.get_by_role("progressbar").wait_for()
        tab.get_by_role("heading", name=LEARNED).wait_for(timeout=60_000)
        assert names(run) == [LEARNED.replace("onnx", "json"), LEARNED, "light.onnx"]
        details = checked(run, run.page.ask(f"/api/learn/model/{LEARNED}"), "/api/learn/model/{name}")
        assert [one["pictures"] for one in details["classes"]] == [COUNT] * 3
        said = f"Right: {100 * details['right']:.1f} % ({100 * details['low']:.1f} to {100 * details['high']:.1f} %"
        tab.get_by_text(said).wait_for()
        assert tab.get_by_role("img", name="Learning curve: ").count() == (len(details["curve"]) > 0)
        assert faults(tab) == []

        press(tab, "Compare")
        tab.locator(".verdict").wait_for(timeout=60_000)
        compared = checked(run, run.page.ask(f"/api/learn/model/{LEARNED}"), "/api/learn/model/{name}")["comparison"]
        assert (compared["pictures"], compared["in_use"], compared["is_current"]) == (3 * COUNT, "light.onnx", True)
        assert round(compared["new"]["top1"], 4) == round(details["right"], 4)  # as cross-validation has it
        tab.get_by_text("Nothing here is known of what light.onnx has learned from.").wait_for()

        press(tab, "Start the shadow")
        tab.get_by_role("region", name="Agreement").get_by_role("row").nth(1).wait_for()
        assert f'[shadow]\nmodel = "{run.model.with_name(LEARNED)}"' in run.path.read_text()
        assert button(tab, "Start the shadow").is_disabled()
        tab.get_by_text("It is the shadow already.").wait_for()
        assert faults(tab) == []

        press(tab, "Put in place")
        tab.get_by_text(f"In use: light.onnx, which is {LEARNED}.").wait_for()
        tab.get_by_text("On trial: ").wait_for()
        tab.get_by_text("One of the two models has changed since.").wait_for()
        wait_for(lambda: run.run.classifier.card.made_with.get("backbone") == "efficientnet-lite0", "the run uses it")
        press(tab, "Stop the shadow")
        tab.get_by_text("No shadow is running.").wait_for()
        assert "shadow" not in run.path.read_text()
        press(tab, "Take back")
        tab.get_by_text("In use: light.onnx.", exact=True).wait_for()
        assert run.run.classifier.card.labels == tiny.LIGHT_LABELS
        assert [one["state"] for one in run.page.ask("/api/cameras").json()["cameras"]] == ["live"]
        assert key(run)


def test_what_is_refused_is_said_below_the_button(tab, tmp_path, camera, monkeypatch):
    """A rule names a label that the model lacks; the file is changed while the page shows it."""
    monkeypatch.setattr("edgecls.labelling.positions.open_backbone", without_backbone)
    draw_store(tmp_path / "pictures", 2)
    with running(tmp_path, camera.url, zones=RULE) as run:
        learned(run, 1, "red", "green", "blue")
        opened(tab, run)
        step = tab.get_by_role("listitem").filter(has=tab.get_by_role("heading", name="Put in place"))
        button(tab, "Put in place").click()
        step.get_by_role("alert").filter(has_text="'dark'").wait_for()
        tab.get_by_text("In use: light.onnx.", exact=True).wait_for()
        run.model.with_name(LEARNED).write_bytes(tiny.light_model())
        tab.get_by_text("the file was changed since it was learned").first.wait_for()
        assert button(tab, "Put in place").is_disabled()
        assert faults(tab) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_curve_is_drawn_and_read_and_who_may_only_look_sees_why(tab, tmp_path, camera, scheme, monkeypatch):
    """With a table for those who do not see it; long names on a phone; buttons that cannot be used say why."""
    monkeypatch.setattr("edgecls.labelling.positions.open_backbone", without_backbone)
    set_password(tmp_path / "p.json", "eve", PASSWORD, "view")
    draw_store(tmp_path / "pictures", 3)
    name = "Fahrzeug mit sehr langem Anhänger <b>und Überlänge</b>" * 2
    curve = [{"pictures": n, "accuracy": at, "low": at - 0.1, "high": at + 0.05} for n, at in ((5, 0.7), (10, 0.8), (18, 0.85))]
    ahead = [{"pictures": n, "right": 0.9, "low": 0.8, "high": 0.95} for n in (40, 80)]
    classes = [{"label": name, "pictures": 36, "scored": 36, "right": 0.9, "low": 0.8, "high": 0.95}]
    with running(tmp_path, camera.url, passwords=tmp_path / "p.json") as run:
        learned(run, 1, curve=curve, forecasts=ahead, classes=classes, advice=["More pictures."])
        tab.set_viewport_size({"width": 360, "height": 700})
        tab.goto(f"http://127.0.0.1:{run.page.server.port}/login")
        tab.get_by_label("Name").fill("eve")
        tab.get_by_label("Password").fill(PASSWORD)
        tab.get_by_role("button", name="Log in").click()
        tab.get_by_role("link", name="Teach").wait_for()
        opened(tab, run, scheme)
        tab.get_by_role("img", name="Learning curve: 70.0 % with 5 pictures a class").wait_for()
        tab.get_by_text("The curve as a table").click()
        tab.get_by_role("row", name="80 90.0 % 80.0 to 95.0 % to be expected").wait_for()
        tab.get_by_text(name).first.wait_for()
        for one in ("Learn", "Compare", "Start the shadow", "Put in place", "Take back"):
            assert button(tab, one).is_disabled(), one
        assert tab.locator(".learn .tools:visible", has_text="Who may only look cannot change models.").count() == 5
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        assert faults(tab) == []
