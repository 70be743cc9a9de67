"""README and docs/ are true: their code runs as written, their links lead somewhere, their tables are those of the code."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import NamedTuple, get_args, get_type_hints

import cv2
import pytest

import edgecls
from edgecls import DataConfig, TrainConfig, read_config
from edgecls.bundle import read_part
from edgecls.service.install import install
from edgecls.service.machine import Machine
from edgecls.service.plan import Request
from edgecls.sink import mqtt
from edgecls.sink.csv_file import COLUMNS
from edgecls.train.gap import Gap
from scripts import reference
from tests.conftest import ROOT
from tests.drawn import gray_levels

DOCS = ROOT / "docs"
PAGES = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
LINKED = {**TEXTS, **{name: (ROOT / name).read_text(encoding="utf-8") for name in ("CHANGELOG.md", "models/README.md")}}
BLOCK = re.compile(r"(?:<!-- (not run|file): ([^>]*?) -->\n)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LARGEST_PICTURES = 4_000_000  # bytes of all together
LONGEST_FRONT_DOOR = 170  # lines
LOGIN = {"CAMERA_USER": "u", "CAMERA_PASSWORD": "p", "FLEET_USER": "u", "FLEET_PASSWORD": "p"}
FOREIGN = {  # options of other programs
    *(
        "--upgrade",
        "--build-arg",
        "--detach",
        "--gpus",
        "--name",
        "--restart",
        "--env-file",
        "--device",
        "--group-add",
        "--signal",
        "--system",
        "--shell",
    ),
    *("--groups", "--now", "--pipe", "--wait", "--uid", "--property", "--no-cache-dir", "--create-home", "--count", "--only"),
    *("--clip", "--fuzz-minutes", "--check", "--help", "--version", "--debug"),
}


class Block(NamedTuple):
    """A block of code: its language and text, and what the comment above it says."""

    language: str
    text: str
    kind: str = ""
    told: str = ""


def blocks(text: str) -> list[Block]:
    """The blocks of a page in their order."""
    return [Block(found[3], found[4], found[1] or "", found[2] or "") for found in BLOCK.finditer(text)]


def all_blocks(*languages: str) -> list[Block]:
    """Those of all pages in some languages."""
    return [block for text in TEXTS.values() for block in blocks(text) if block.language in languages]


def runs(block: Block) -> bool:
    """Whether a block is to be run as it stands."""
    return block.language in {"python", "bash"} and block.kind != "not run"


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with what the pages speak of: models/, scripts/, the demo's clip, a picture."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "demo-out").mkdir()
    (folder / "models").symlink_to(ROOT / "models")
    (folder / "scripts").symlink_to(ROOT / "scripts")
    draw = [sys.executable, "scripts/gantry.py", "draw", "demo-out/gantry.mp4", "demo-out/shown.json"]
    subprocess.run(draw, cwd=folder, check=True)
    cv2.imwrite(str(folder / "picture.png"), gray_levels([128])[0])
    return folder


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if any(map(runs, blocks(text)))])
def test_the_code_of_a_page_runs_as_written(name, place, tmp_path):
    """One block after the other, as a reader would: files are written, commands succeed, Python prints labels of the model."""
    folder = tmp_path / "reader"
    shutil.copytree(place, folder, symlinks=True)
    (folder / "bin").mkdir()
    for command, words in {"edgecls": f"{sys.executable} -m edgecls", "python": sys.executable}.items():
        (folder / "bin" / command).write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        (folder / "bin" / command).chmod(0o755)
    path = os.pathsep.join((str(folder / "bin"), os.environ.get("PATH", "")))
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "EDGECLS_SPOOL": str(folder / "spool")}
    for block in blocks(TEXTS[name]):
        if block.kind == "file":
            (folder / block.told).write_text(block.text, encoding="utf-8")
        if not runs(block):
            continue
        words = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
        done = subprocess.run([*words, block.text], cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.text}\n{done.stdout[-2000:]}\n{done.stderr}"
        if block.language == "python":
            assert "speed limit" in done.stdout or "label=" in done.stdout


def test_there_is_code_to_run():
    """The test above has something to do, and what it leaves out says why."""
    assert sum(map(runs, all_blocks("python"))) >= 8
    assert sum(map(runs, all_blocks("bash"))) >= 12
    assert all(len(block.told) > 10 for block in all_blocks("python", "bash") if block.kind == "not run")


@pytest.mark.parametrize("block", all_blocks("bash"), ids=lambda block: block.text.split("\n")[0][:60])
def test_commands_have_the_options_that_they_are_given(block):
    """The shell can read each block, and every option of edgecls in it is one of that command."""
    subprocess.run(["bash", "-n", "-c", block.text], check=True)
    for line in block.text.replace("\\\n", " ").splitlines():
        check_options(line)


def check_options(line: str) -> None:
    """Each option that stands behind `edgecls COMMAND` is known to it."""
    found = re.search(r"(?:^|[\s/])edgecls ([a-z][\w-]*)(.*)", line)
    if found and found[1] in reference.COMMANDS:
        known = {"--help", "--debug"} | {
            name for p in reference.COMMANDS[found[1]].params for name in (*p.opts, *p.secondary_opts)
        }
        used = set(re.findall(r"(?<!\S)--?[a-z][\w-]*", re.sub(r"'[^']*'|\"[^\"]*\"", "", found[2].split(" > ")[0])))
        assert used <= known, f"edgecls {found[1]} has no {', '.join(sorted(used - known))}"


@pytest.mark.parametrize("name", TEXTS)
def test_options_in_the_text_exist(name):
    """What is named in backquotes as an option is one of some command."""
    known = FOREIGN | {o for c in reference.COMMANDS.values() for p in c.params for o in (*p.opts, *p.secondary_opts)}
    text = BLOCK.sub("", TEXTS[name])
    used = {option for code in re.findall(r"`([^`\n]+)`", text) for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", code)}
    assert used <= known, f"{name} names {', '.join(sorted(used - known))}"


@pytest.mark.parametrize("block", all_blocks("toml"), ids=lambda block: block.text.split("\n")[0][:40])
def test_settings_are_those_of_cameras_toml(block, tmp_path):
    """Each block is a whole file, or a part of one that has a model and a camera already, or what a bundle brings."""
    if block.told == "part.toml":
        assert read_part(block.text.encode(), block.told)
        return
    text, has_model = block.text, re.search(r"^model =", block.text, re.MULTILINE)
    if not has_model:
        camera = "" if "[[camera]]" in text else '[[camera]]\nname = "gate"\nsource = 0\n'
        text = 'model = "m.onnx"\n' + (camera + text if text.startswith("[") else text + camera)
    (tmp_path / "cameras.toml").write_text(text, encoding="utf-8")
    assert read_config(tmp_path / "cameras.toml", LOGIN).camera


@pytest.mark.parametrize("block", all_blocks("json"), ids=lambda block: block.text[:40])
def test_json_is_json(block):
    """A block is one value, or one on each line."""
    try:
        json.loads(block.text)
    except ValueError:
        for line in block.text.splitlines():
            json.loads(line)


def test_the_service_of_the_page_can_be_installed(tmp_path):
    """Its cameras.toml and its secrets make a unit that runs edgecls with options that it has."""
    folder = tmp_path / "etc" / "edgecls"
    folder.mkdir(parents=True)
    page = blocks(TEXTS["docs/deploy.md"])
    (folder / "cameras.toml").write_text(next(block.text for block in page if block.language == "toml"))
    (folder / "secrets.env").write_text(next(block.text for block in page if block.language == "ini"))
    (folder / "models").mkdir()
    (folder / "models" / "model.onnx").write_bytes(b"")
    request = Request("/etc/edgecls/cameras.toml", program="/opt/edgecls/.venv/bin/edgecls")
    install(request, Machine(tmp_path), say=lambda _: None)
    unit = (tmp_path / "etc/systemd/system/edgecls.service").read_text()
    check_options(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])
    assert "EnvironmentFile=/etc/edgecls/secrets.env" in unit


@pytest.mark.parametrize("name", TEXTS)
def test_files_that_are_named_exist(name):
    """What is named in backquotes as a file of the repository is one."""
    named = re.findall(r"`((?:edgecls|tests|scripts|models|docs)/[\w./-]+)", BLOCK.sub("", TEXTS[name]))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_what_the_loop_gives_has_the_attributes_that_are_named():
    """`event.X` and `result.X` in docs/python.md."""
    for name, kind in (("event", edgecls.Event), ("result", edgecls.Result)):
        named = set(re.findall(rf"`{name}\.(\w+)", TEXTS["docs/python.md"]))
        assert len(named) >= 3
        assert [attribute for attribute in named if attribute not in dir(kind)] == []


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        kept = "".join(c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LN").strip().replace(" ", "-")
        found.add(next(name for name in (kept, *(f"{kept}-{i}" for i in range(1, 99))) if name not in found))
    return found


@pytest.mark.parametrize("name", LINKED)
def test_links_lead_somewhere(name):
    """Each relative link is a file of the repository, and its anchor a heading there."""
    text = re.sub(r"`[^`\n]*`", "", BLOCK.sub("", LINKED[name]))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert target.exists(), f"{name}: {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{name}: {link}"


def test_readme_is_a_front_door():
    """It is short, and every page can be reached from it."""
    readme = TEXTS["README.md"]
    assert len(readme.splitlines()) <= LONGEST_FRONT_DOOR
    assert {name for name in PAGES if name != "README.md" and f"({name})" not in readme} == set()


def test_pages_say_what_the_reader_will_be_able_to_do():
    """Each begins with it."""
    for name, text in TEXTS.items():
        if name != "README.md":
            assert text.split("\n\n")[1].startswith("After this page"), name


def test_pictures_are_used_and_small():
    """None is left over, all together stay small."""
    pictures = [path for path in (DOCS / "pictures").iterdir() if path.is_file()]
    used = {Path(link).name for text in TEXTS.values() for link in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)}
    assert {path.name for path in pictures} == used - {path.name for path in (ROOT / "models").iterdir()}
    assert sum(path.stat().st_size for path in pictures) < LARGEST_PICTURES


def test_tables_are_those_of_the_code():
    """Options, settings and names; scripts/reference.py writes them."""
    command = [sys.executable, "scripts/reference.py", "--check"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_kinds_of_everything_are_explained():
    """Kinds of events, faults of pictures, states of cameras and sinks stand in backquotes somewhere."""
    told = "\n".join(TEXTS.values())
    tables = reference.settings()
    kinds = tables["sink.clip.cut"]["kinds"]["items"]["enum"]
    faults = tables["camera.health"]["ignore"]["items"]["enum"]
    states = get_args(get_type_hints(edgecls.StateChange)["state"])
    sinks = [name.split(".")[1] for name in tables if name.startswith("sink.")]
    assert len(kinds) >= 6
    assert len(states) >= 5
    for word in (*kinds, *faults, *states, *sinks):
        assert re.search(rf"`{word}[`:\]]", told), word


def test_columns_of_the_table_are_listed():
    """docs/outputs.md has the first line of a csv file."""
    assert f"\n{','.join(COLUMNS)}\n" in TEXTS["docs/outputs.md"]


def test_topics_of_the_broker_are_listed():
    """Each one in the docstring of the sink has a row in docs/outputs.md, and so have the keys of its JSON."""
    topics = re.findall(r"^ +PREFIX/(\S+) ", mqtt.__doc__, re.MULTILINE)
    rows = [line for line in TEXTS["docs/outputs.md"].splitlines() if line.startswith("| `")]
    assert len(topics) >= 8
    for topic in topics:
        assert any(f"`{topic}`" in row.split(" | ")[0] for row in rows), topic
    for key in ("counts", "total", "totals", "occupancy", "since", "event"):
        assert any(f"`{key}`" in row for row in rows if "/count`" in row), key


def test_verdicts_on_the_gap_are_listed():
    """docs/train.md knows what the end of a training says about gaps of all sizes."""
    for validation in (0.99, 0.96, 0.9):
        verdict = Gap(1.0, 10_000, validation, 10_000).sentence(TrainConfig(data=DataConfig("x"))).split("points: ")[1]
        assert f"| {re.split('[,;]', verdict)[0]} |" in TEXTS["docs/train.md"]


def test_the_layers_are_those_of_the_package():
    """how-it-works.md lists every folder and file at the root of the package, and nothing else."""
    (listed,) = [b.text for b in blocks(TEXTS["docs/how-it-works.md"]) if b.text.startswith("cli/")]
    paths = [path for path in (ROOT / "edgecls").iterdir() if path.is_file() or any(path.glob("*.py"))]
    there = {path.name + "/" * path.is_dir() for path in paths}
    there = {name for name in there if re.fullmatch(r"\w+/|\w+\.py", name)} - {"__pycache__/", "__init__.py", "__main__.py"}
    assert set(re.findall(r"^\w+/|(?<!\S)\w+/(?!\S)|\w+\.py", listed, re.MULTILINE)) == there


def literals() -> str:
    """All texts of the package, pieces of formatted ones beside each other, with a line break between texts."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "edgecls").rglob("*.py")]
    texts = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return "\n".join(text for text in texts if isinstance(text, str))


def test_messages_of_troubleshooting_are_messages():
    """Each heading in backquotes is a message of edgecls, with dots for what differs; others name their program."""
    others = {"edgecls: command not found", "libGL.so.1: cannot open shared object file"}
    known = literals()
    lines = re.findall(r"^### (`.+`)$", TEXTS["docs/troubleshooting.md"], re.MULTILINE)
    headings = [heading for line in lines for heading in re.findall(r"`([^`]+)`", line)]
    assert len(headings) >= 20
    for heading in set(headings) - others:
        for piece in heading.split(" ... "):
            assert piece in known, heading
