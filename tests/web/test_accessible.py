"""The page for people who see little, or use no mouse: axe-core finds nothing serious on any of its pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from axe_playwright_python.sync_playwright import Axe

from edgecls.event import Moment
from edgecls.frame import StateChange
from edgecls.sink.sqlite import SqliteSink
from tests.run.world import event, frame, result
from tests.web.served import served

SERIOUS = ("serious", "critical")
NAME = "Größenprüfung <b>Süd</b>"


def faults(tab) -> list[str]:
    """Return what axe-core finds on the page that is shown, with the elements."""
    found = Axe().run(tab, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found if one["impact"] in SERIOUS]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_found(tab, tmp_path, scheme):
    """On the wall, the page of a camera, the events, one event, an hour without events and the login."""
    tab.emulate_media(color_scheme=scheme)
    noon = datetime.now().astimezone().replace(hour=12, minute=0).timestamp()
    with SqliteSink(tmp_path / "events.db") as sink:
        for i in range(3):
            made = replace(event(i, camera=NAME, region="Zone & Straße"), start=Moment(i, float(i), noon + i))
            sink.write_event(made)
    sinks = [f"sqlite:{tmp_path}/events.db", f"collect:{tmp_path}/store"]
    with served(NAME, "yard", sinks=sinks) as page:
        page.view.write(result(frame(camera=NAME)))
        page.view.write_state(StateChange("yard", "lost", "no more frames", 1.0))
        for path, text in (("/#/", "no more frames"), (f"/#/camera/{NAME}", "car over"), ("/#/events", "Export CSV")):
            tab.goto(f"http://127.0.0.1:{page.server.port}{path}")
            tab.get_by_text(text).first.wait_for()
            if path == "/#/events":
                tab.locator(".bars").wait_for()
            assert faults(tab) == [], path
        tab.locator("tbody button").first.click()
        tab.get_by_role("dialog").wait_for()
        assert faults(tab) == []
        tab.keyboard.press("Escape")
        tab.get_by_role("button", name="Day before").click()
        tab.get_by_text("No event fits these filters.").wait_for()
        assert faults(tab) == []
    with served(passwords=tmp_path / "p.json") as page:
        tab.goto(f"http://127.0.0.1:{page.server.port}/")
        tab.get_by_role("button", name="Log in").wait_for()
        assert faults(tab) == []
