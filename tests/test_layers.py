"""The layout of the package: who may import whom, and what a light import must not load."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "edgecls"
ROWS = [
    {"errors", "event", "packets", "toml_lines"},
    {"confidence", "extras", "files", "frame", "ladder", "processor", "settings", "vet"},
    {"schema"},
    {"card", "stretch"},
    {"binding", "image", "metrics", "providers"},
    {"golden"},
    {"dataset", "classifier"},
    {"evaluate"},
    {"report"},
    {"train", "export", "run"},
    {"doctor"},
    {"cli"},
    {"__main__"},
]
"""From the bottom up; a module imports only from the rows below its own."""
FORBIDDEN_NAMES = {"utils", "util", "helpers", "core", "base", "common", "misc"}


def row_of(name):
    """The row of a module or folder at the root of the package."""
    return next(i for i, row in enumerate(ROWS) if name in row)


def imports(path):
    """The modules of edgecls that a file imports, as the name at the root of the package, wherever the import stands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "edgecls":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {a.name for a in node.names if a.name in set().union(*ROWS)}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("edgecls.")}
    return found


def modules():
    """Every module, with its name at the root of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield path, parts[0]


def test_every_module_has_a_row():
    """A new module at the root of the package takes its place in the table first."""
    assert {name for _, name in modules()} == set().union(*ROWS)


def test_imports_only_point_down():
    """No module imports one of a row above it, nor another one of its own row; a folder's files may import one another."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {target}"
        for path, name in modules()
        for target in imports(path)
        if target != name and row_of(target) >= row_of(name)
    ]
    assert wrong == []


@pytest.mark.parametrize("verb", ["train", "export", "run"])
def test_the_verbs_never_import_one_another(verb):
    """Nothing in one verb's folder imports another verb, or the command line."""
    others = {"train", "export", "run", "cli"} - {verb}
    assert not {t for path, name in modules() if name == verb for t in imports(path)} & others


def test_no_file_has_a_name_that_says_nothing():
    """No utils, helpers, core, base, common; and none called like a module of the standard library that we import."""
    stems = {path.stem for path in PACKAGE.rglob("*.py")} | {path.name for path in PACKAGE.rglob("*") if path.is_dir()}
    assert not stems & FORBIDDEN_NAMES


def test_no_file_outgrows_its_reader():
    """A file of more than about 300 lines becomes a folder of the same name."""
    assert {p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text(encoding="utf-8").splitlines())) > 310} == {}


def test_every_module_has_a_docstring():
    """The first thing in each file says what it is for."""
    assert [str(path) for path, _ in modules() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))] == []


def loaded_after(statement):
    """The modules that a fresh Python has loaded after a statement."""
    code = f"{statement}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", ["edgecls.run.wire", "edgecls.cli", "edgecls.classifier", "edgecls.dataset"])
def test_the_runtime_never_loads_the_tools_that_made_the_model(module):
    """Importing it loads no keras, tensorflow, onnx or tf2onnx."""
    assert not loaded_after(f"import {module}") & {"keras", "tensorflow", "onnx", "tf2onnx", "matplotlib"}


@pytest.mark.parametrize("statement", ["import edgecls", "import edgecls.cli"])
def test_help_comes_at_once(statement):
    """The package and the parser load no OpenCV and no ONNX Runtime either."""
    assert not loaded_after(statement) & {"cv2", "onnxruntime", "keras", "tensorflow"}


def test_sinks_load_what_they_need_when_they_are_opened():
    """The packages of the extras mqtt and metrics are loaded by those who open such a sink only."""
    assert not loaded_after("import edgecls.run.sink") & {"paho", "prometheus_client"}


def test_classifying_loads_no_training_tool(light_model):
    """Loading a model and asking it needs numpy, OpenCV and ONNX Runtime only."""
    statement = (
        f"import numpy, edgecls\nedgecls.Classifier.load({str(light_model)!r}).classify(numpy.zeros((9, 9, 3), numpy.uint8))"
    )
    assert not loaded_after(statement) & {"keras", "tensorflow", "onnx", "tf2onnx", "matplotlib"}
