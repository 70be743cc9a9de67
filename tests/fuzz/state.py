"""What edgecls wrote itself and finds changed when it starts, and addresses that nobody should have written."""

from __future__ import annotations

import json
import re
import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from edgecls.labels.json_lines import to_event
from edgecls.sink import open_sink, parse_sink, spool_name
from edgecls.sink.delivery.spool import Spool
from tests.fuzz import mutations as m
from tests.fuzz.case import Case, Seed
from tests.fuzz.containers import in_rows
from tests.fuzz.values import in_cells, in_json, in_json_lines

SECRET = "hunter2Secret"  # noqa: S105 - it must not appear in any output
WEBHOOK = "webhook:http://127.0.0.1:9/x"


EVENT = {"event": "78561bcdadbe0b86", "kind": "state", "camera": "a", "region": "frame", "label": "dim", "score": 0.9,
         "model": "m", "start": {"frame": 1, "time_s": 0.1, "at_s": None}, "end": None, "duration_s": None}  # fmt: skip


def spools(good: Path) -> list[Seed]:
    """Events that wait for a place that does not answer, and for files."""
    seeds = []
    for text in (WEBHOOK, "csv:e.csv", "sqlite:e.db"):
        with tempfile.TemporaryDirectory() as folder:
            spool = Spool(Path(folder) / "s")
            for _ in range(5):
                spool.append(EVENT)
            spool.close()
            data = (Path(folder) / "s").read_bytes()
        name = f"spool/{spool_name(parse_sink(text))}"
        argv = ("run", "--model", good / "light.onnx", "--source", good / "clip.avi", "--quiet", "--sink", text)
        changes = (partial(in_rows, record=json.dumps(EVENT).encode()), m.in_bytes)
        seeds.append(Seed(Case(argv, {name: data}), name, changes))
    return seeds


def sidecars(good: Path) -> list[Seed]:
    """What stands beside a recording, where the oldest are to make room."""
    files = {"a-1.jpg": {"bytes": 1000, "sha256": "0" * 64}}
    sidecar = {"made_by": "edgecls 0.1", "written_at_s": 1764100000.0, "files": files, "event": EVENT}
    seeds = []
    for kind in ("snapshot", "clip"):
        text = (
            f'model = "{good}/light.onnx"\n[[camera]]\nname = "a"\nsource = "{good}/clip.avi"\n'
            f"state = {{seconds = 0.01, frames = 1}}\n"
            f'[[sink]]\nkind = "{kind}"\npath = "shots"\nquota = {{most_gb = 0.000002}}\n'
        )
        files = {"c.toml": text.encode(), "shots/a-1.json": json.dumps(sidecar).encode(), "shots/a-1.jpg": b"x" * 1000}
        case = Case(("run", "--config", "c.toml", "--quiet"), files)
        seeds.append(Seed(case, "shots/a-1.json", (in_json, in_json, m.in_words, m.in_bytes)))
    return seeds


def databases(good: Path) -> list[Seed]:
    """Files that a sink goes on writing: a database of events, a table of them, a log."""
    kinds = {"sqlite:e.db": "e.db", "csv:e.csv": "e.csv", "jsonl:l.jsonl": "l.jsonl"}
    seeds = []
    for text, name in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            with open_sink(f"{text.partition(':')[0]}:{path}", spool=folder) as sink:
                sink.write_event(to_event({**EVENT, "end": EVENT["start"], "duration_s": 0.0}))
            data = path.read_bytes()
        own = {"e.db": partial(in_rows, record=json.dumps(EVENT).encode()), "e.csv": in_cells, "l.jsonl": in_json_lines}
        changes: tuple[Any, ...] = (own[name], m.in_bytes)
        argv = ("run", "--model", good / "light.onnx", "--source", good / "clip.avi", "--quiet", "--sink", text)
        seeds.append(Seed(Case(argv, {name: data}), name, changes))
    return seeds


@st.composite
def _address(draw: st.DrawFn) -> str:
    """An address with a user and a password, and what people and attackers make of one. Nobody answers at any of them."""
    scheme = draw(
        st.sampled_from(("rtsp", "RTSP", "http", "https", "tcp", "udp", "mqtt", "mqtts", "file", "concat", "data", "x"))
    )
    user = draw(st.sampled_from(("", "admin", "a@b.c", "a b", "%", "é", "\x00", "a:b")))
    password = draw(st.sampled_from((SECRET, f"1/{SECRET}", f"{SECRET}@x", quote(f"{SECRET}#?"), f"{SECRET}:8", f"{SECRET} y")))
    host = draw(
        st.sampled_from(
            ("127.0.0.1", "localhost", "[::1]", "[::1", "::1", "", "a" * 300, "a..b", "\x1b", "127.0.0.1%0a", "0x7f.1")
        )
    )
    port = draw(st.sampled_from((":1", ":9", "", ":", ":0", ":-1", ":70000", ":x", ":1e3", ":٣")))
    path = draw(
        st.sampled_from(
            ("", "/", "/1", f"/user=a_password={SECRET}_x.sdp", "/%00", "/\x00", "/[", "//", "/é", f"/s?token={SECRET}")
        )
    )
    query = draw(st.sampled_from(("", f"?password={SECRET}", f"?a=b&access_token={SECRET}", f"#sig={SECRET}", "?" * 50)))
    text = f"{scheme}://{user}:{password}@{host}{port}{path}{query}"
    if draw(st.booleans()):
        return text
    spoiled = draw(m.in_words(text.encode())).decode("utf-8", "surrogateescape")
    return _without_path_secrets(spoiled) if _shows_what_is_secret(spoiled) else spoiled.replace(SECRET, "x")


def _without_path_secrets(address: str) -> str:
    """The address with the secrets behind its last @ that no word such as `token=` is left to tell of."""
    before, at, behind = address.rpartition("@")
    return before + at + re.sub(rf"(?<!password=)(?<!token=)(?<!sig=){SECRET}", "x", behind)


def _shows_what_is_secret(address: str) -> bool:
    """Whether a spoiled address still has a scheme, or its password where passwords are: behind a colon and before an @."""
    before, at, _ = address.rpartition("@")
    in_place = at and ":" in before.partition(SECRET)[0] and SECRET not in address[len(before) :]
    return "://" in address.partition("@")[0] or bool(in_place)


def addresses(good: Path) -> st.SearchStrategy[Case]:
    quick = ("--open-timeout", "1", "--read-timeout", "1", "--give-up-after", "0", "--quiet")

    def as_source(address: str) -> Case:
        clean = address.replace("\x00", "")  # no system hands over an argument with that in it
        return Case(("run", "--model", good / "light.onnx", "--source", clean, *quick))

    def as_sink(address: str) -> Case:
        kind = "webhook:" if address.lower().startswith("http") else ""
        clean = address.replace("\x00", "")
        return Case(
            ("run", "--model", good / "light.onnx", "--source", good / "clip.avi", "--quiet", "--sink", f"{kind}{clean}")
        )

    def as_setting(address: str) -> Case:
        text = f'model = "{good}/light.onnx"\n[[camera]]\nname = "a"\nsource = {json.dumps(address)}\n'
        return Case(("check-config", "c.toml", "--json"), {"c.toml": text.encode("utf-8", "surrogateescape")})

    return st.one_of(_address().map(as_source), _address().map(as_setting), _address().map(as_sink))
