"""Labels given on the page: the routes, with a drawn store that is compared by thumbnails."""

from __future__ import annotations

import json

import cv2
import jsonschema
import numpy as np
import pytest

from edgecls.errors import MissingExtraError
from edgecls.store import Origin, Store
from edgecls.web.login.passwords import add_token
from tests.web.served import served

COLORS = {"red": (30, 30, 220), "green": (40, 200, 40), "blue": (220, 60, 30)}
COUNT = 8


def without_backbone(name: str) -> None:
    """Stand for a machine without the package of backbones."""
    raise MissingExtraError(name, "pretrained", "Learning")


def draw_store(folder, count: int = COUNT) -> dict[int, str]:
    """Write a store with squares of three colours. Returns the colour of each picture, by number."""
    rng = np.random.default_rng(0)
    found = {}
    with Store(folder) as store:
        for i in range(count):
            for name, color in COLORS.items():
                picture = np.clip(rng.normal(60, 6, (40, 60, 3)), 0, 255).astype(np.uint8)
                left = int(rng.integers(8, 24))
                picture[8:34, left : left + 28] = color
                origin = Origin(camera="gate", event=f"{name} {i}", reason="new", hash=int(rng.integers(1 << 62)))
                found[store.add(picture, origin)] = name
    return found


@pytest.fixture
def truth(tmp_path, monkeypatch):
    """A drawn store."""
    monkeypatch.setattr("edgecls.labelling.positions.open_backbone", without_backbone)
    return draw_store(tmp_path / "pictures")


@pytest.fixture
def page(truth, tmp_path):
    """A page of a run that collects in this store."""
    with served(sinks=[f"collect:{tmp_path}/pictures"]) as found:
        yield found


def address(page) -> str:
    """Return the address of the only store."""
    (store,) = page.ask("/api/teach").json()["stores"]
    return f"/api/teach/{store['store']}"


def post(page, path: str, **content):
    """Change something."""
    return page.ask(path, "POST", body=json.dumps(content))


def labels(folder) -> dict[int, str]:
    """Return what is on the disk, as another program reads it."""
    with Store(folder, create=False) as store:
        return {entry.id: "unusable" if entry.is_unusable else entry.label for entry in store.entries()}


def test_groups_are_labelled_until_nothing_is_left(page, truth, tmp_path):
    """Each label is in the store when it is answered; then groups have proposals."""
    store, proposed = address(page), 0
    for _ in range(20):
        group = page.ask(f"{store}/group").json()
        numbers = [one["picture"] for one in group["pictures"]]
        if not numbers:
            break
        proposed += group["proposal"] != ""
        name = truth[numbers[0]]
        same = [number for number in numbers if truth[number] == name]
        answer = post(page, f"{store}/label", pictures=same, label=name)
        assert (answer.status, answer.json()["pictures"]) == (200, len(same))
        assert {labels(tmp_path / "pictures")[number] for number in same} == {name}
        assert answer.json()["left"] == list(labels(tmp_path / "pictures").values()).count("")
    assert (group["pictures"], group["left"], group["classes"]) == ([], 0, dict.fromkeys(sorted(COLORS), COUNT))
    assert proposed > 0
    assert labels(tmp_path / "pictures") == truth
    assert "pretrained" in group["notes"][0]


def test_unusable_skipped_and_undone(page, tmp_path):
    """Unusable pictures do not come again, skipped ones come after all others, and what is undone comes again."""
    store = address(page)
    first = [one["picture"] for one in page.ask(f"{store}/group").json()["pictures"]]
    stroke = post(page, f"{store}/unusable", pictures=first).json()
    assert stroke["left"] == 3 * COUNT - len(first)
    assert labels(tmp_path / "pictures")[first[0]] == "unusable"
    second = [one["picture"] for one in page.ask(f"{store}/group").json()["pictures"]]
    assert not set(first) & set(second)
    assert post(page, f"{store}/skip", pictures=second).json()["pictures"] == len(second)
    third = [one["picture"] for one in page.ask(f"{store}/group").json()["pictures"]]
    assert not set(third) & {*first, *second}
    assert post(page, f"{store}/undo").json()["pictures"] == len(first)
    assert set(labels(tmp_path / "pictures").values()) == {""}
    post(page, f"{store}/label", pictures=[n for n in range(1, 3 * COUNT + 1) if n not in second], label="rest")
    assert set(second) & {one["picture"] for one in page.ask(f"{store}/group").json()["pictures"]}
    assert post(page, f"{store}/undo").json()["left"] == 3 * COUNT
    assert post(page, f"{store}/undo").json()["pictures"] == 0


def test_everybody_takes_back_what_is_their_own(truth, tmp_path):
    """The last stroke of one person is not that of another one, and names whoever gave it."""
    passwords = tmp_path / "p.json"
    tokens = {name: {"Authorization": f"Bearer {add_token(passwords, name, 'edit')}"} for name in ("anna", "ben")}
    with served(passwords=passwords, sinks=[f"collect:{tmp_path}/pictures"]) as page:
        store = f"/api/teach/{page.ask('/api/teach', **tokens['anna']).json()['stores'][0]['store']}"
        for number, name in ((1, "anna"), (2, "ben")):
            body = json.dumps({"pictures": [number], "label": "red"})
            assert page.ask(f"{store}/label", "POST", body=body, **tokens[name]).status == 200
        assert page.ask(f"{store}/undo", "POST", **tokens["anna"]).json()["pictures"] == 1
    found = labels(tmp_path / "pictures")
    assert (found[1], found[2]) == ("", "red")
    with Store(tmp_path / "pictures") as opened:
        assert opened.entry(2).author == "ben"


def test_what_others_do_meanwhile_is_seen(page, tmp_path):
    """Pictures that the run adds or removes, and labels given in the terminal."""
    store = address(page)
    page.ask(f"{store}/group")
    with Store(tmp_path / "pictures") as opened:
        opened.label(list(range(1, 3 * COUNT)), "there")
        opened.remove([3 * COUNT])
        new = opened.add(np.full((20, 20, 3), 90, np.uint8))
    group = page.ask(f"{store}/group").json()
    assert ([one["picture"] for one in group["pictures"]], group["classes"]) == ([new], {"there": 3 * COUNT - 1})
    assert post(page, f"{store}/label", pictures=[new, 3 * COUNT], label="there").json()["pictures"] == 1
    assert page.ask(f"{store}/picture/{3 * COUNT}").status == 404


def test_suspects_have_reasons(page, truth, tmp_path):
    """The one wrong label is named first, with the label that its neighbours have."""
    store = address(page)
    assert (page.ask(f"{store}/suspects").status, page.ask(f"{store}/suspects").body.count(b"\n")) == (409, 1)
    with Store(tmp_path / "pictures") as opened:
        for name in COLORS:
            opened.label([number for number, color in truth.items() if color == name], name)
        wrong = next(number for number, color in truth.items() if color == "red")
        opened.label([wrong], "blue")
    first, *_ = page.ask(f"{store}/suspects").json()["pictures"]
    assert (first["picture"], first["label"], first["rather"]) == (wrong, "blue", "red")
    assert "red" in first["why"]


def test_pictures_are_small_and_from_the_store_only(page, tmp_path):
    """Never enlarged; nothing is served that a row or a link points to elsewhere."""
    store = address(page)
    with Store(tmp_path / "pictures") as opened:
        wide = opened.add(np.full((900, 1600, 3), 90, np.uint8))
        path = opened.entry(1).path
    for query, number, size in (("", 1, (40, 60)), ("", wide, (180, 320)), ("?large=1", wide, (720, 1280))):
        answer = page.ask(f"{store}/picture/{number}{query}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert cv2.imdecode(np.frombuffer(answer.body, np.uint8), 1).shape[:2] == size
    outside = tmp_path / "secret.png"
    path.rename(outside)
    path.symlink_to(outside)
    for number in ("1", "9999", "0", str(2**63 - 1)):
        assert page.ask(f"{store}/picture/{number}").status == 404
    for number in ("-1", "x", "..%2Fstore.sqlite", str(2**64)):
        assert page.ask(f"{store}/picture/{number}").status in (400, 404)
    answers = b"".join(page.ask(path).body for path in ("/api/teach", f"{store}/group", f"{store}/picture/1"))
    assert str(tmp_path).encode() not in answers


BAD = (
    ("label", "{"),
    ("label", "[]"),
    ("label", '{"pictures": [1]}'),
    ("label", '{"pictures": [], "label": "car"}'),
    ("label", '{"pictures": [true], "label": "car"}'),
    ("label", '{"pictures": ["1"], "label": "car"}'),
    ("label", '{"pictures": [99999999999999999999], "label": "car"}'),
    ("label", '{"pictures": [1], "label": "two\\nlines"}'),
    ("label", '{"pictures": [1], "label": "' + "x" * 256 + '"}'),
    ("label", json.dumps({"pictures": [1] * 501, "label": "car"})),
    ("unusable", "{}"),
    ("skip", '{"pictures": 1}'),
)


def test_what_is_not_understood_changes_nothing(page, tmp_path):
    """It is said in one line."""
    store = address(page)
    for action, body in BAD:
        answer = page.ask(f"{store}/{action}", "POST", body=body)
        assert (answer.status, answer.body.count(b"\n")) == (400, 1), (action, body)
    assert set(labels(tmp_path / "pictures").values()) == {""}


def test_only_stores_of_the_run_are_there(page, tmp_path):
    """No other folder, no store that has been deleted, and no picture that is none."""
    store = address(page)
    for wrong in ("/api/teach/0123456789abcdef", f"/api/teach/{tmp_path}", "/api/teach/..%2Fpictures"):
        assert page.ask(f"{wrong}/group").status == 404
    assert post(page, f"{store}/label", pictures=[999], label="car").status == 404
    page.ask(f"{store}/group")
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    (about,) = page.ask("/api/teach").json()["stores"]
    assert about["why"].startswith("pictures: expected a store")
    answer = post(page, f"{store}/label", pictures=[1], label="car")
    assert (answer.status, answer.body.startswith(b"pictures: expected a store"), answer.body.count(b"\n")) == (503, True, 1)
    assert page.ask(f"{store}/group").status == 503
    with served() as other:
        assert other.ask("/api/teach").json() == {"stores": []}


def test_answers_are_as_described(page):
    """Checked with the schemas of the description."""
    store = address(page)
    found = page.ask("/api/openapi.json").json()
    label = json.dumps({"pictures": [1], "label": "red"})
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/group", None),
        ("POST", "/label", label),
        ("POST", "/unusable", '{"pictures": [2]}'),
        ("POST", "/skip", '{"pictures": [3]}'),
        ("POST", "/undo", None),
    ):
        answer = page.ask(store + path if path else "/api/teach", method, body=body)
        described = found["paths"]["/api/teach/{store}" + path if path else "/api/teach"][method.lower()]
        schema = described["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": found["components"]})
