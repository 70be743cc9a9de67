"""The layout of the package: who may import whom, and what a light import must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "edgecls"
ROWS = [
    {"_version"},
    {"text"},
    {"errors"},
    {"backoff", "extras", "limits", "log", "metrics"},
    {"detected", "event", "input_spec", "overlay", "prediction"},
    {"files"},
    {"settings"},
    {"pretrained", "video"},
    {"picture"},
    {"frame"},
    {"image"},
    {"model", "store"},
    {"bundle", "dataset", "regions"},
    {"detect", "health", "vitals"},
    {"drift", "source"},
    {"events"},
    {"collect", "draw", "label_report", "labels"},
    {"sink"},
    {"evaluate", "run"},
    {"archive", "bench", "compare", "fleet"},
    {"report"},
    {"train"},
    {"export"},
    {"learn"},
    {"labelling"},
    {"doctor", "service", "web"},
    {"cli"},
    {"__main__"},
]
"""From the bottom up; a module imports only from the rows below its own."""
RUNTIME = {"source", "regions", "detect", "drift", "health", "model", "events", "labels", "draw", "sink", "run", "fleet"}
MAKERS = {"train", "export", "learn", "labelling", "report", "evaluate", "compare", "web", "cli"}
LARGEST_SHARE = 0.2
"""Of the package's lines, in one folder."""
FORBIDDEN_NAMES = {"utils", "util", "helpers", "core", "base", "common", "misc"}


def dotted(path):
    """The name of a module within the package: "sink.open"; of a package's __init__ that of its folder."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").strip(".")


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def top(module):
    """The station or foundation that a module belongs to."""
    return module.split(".")[0]


def row_of(name):
    """The row of a module or folder at the root of the package."""
    return next(i for i, row in enumerate(ROWS) if name in row)


def imports(module):
    """The modules of edgecls that a module imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "edgecls":
            base = node.module.removeprefix("edgecls").strip(".")
            names = {f"{base}.{alias.name}".strip(".") for alias in node.names}
            found |= {name if name in MODULES else base for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("edgecls.") for alias in node.names if alias.name.startswith("edgecls.")}
    return found


def test_every_module_has_a_row():
    """A new module or folder at the root of the package takes its place in the table first."""
    assert {top(module) for module in MODULES if module} == set().union(*ROWS)


def test_imports_only_point_down():
    """No module imports one of a row above it, nor another one of its own row; a folder's files may import one another."""
    wrong = [
        f"{module} imports {target or 'edgecls'}"
        for module in MODULES
        for target in imports(module)
        if module and top(target) != top(module) and (not target or row_of(top(target)) >= row_of(top(module)))
    ]
    assert wrong == []


def test_there_is_no_import_cycle():
    """Not even within a folder, and not for types alone."""
    try:
        TopologicalSorter({module: imports(module) - {module} for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("verb", ["train", "export", "run"])
def test_the_verbs_never_import_one_another(verb):
    """Nothing in one verb's folder imports another verb, or the command line."""
    others = {"train", "export", "run", "cli"} - {verb}
    assert not {top(target) for module in MODULES if top(module) == verb for target in imports(module)} & others


def test_the_runtime_imports_nothing_that_makes_models():
    """From the source to the run, no module knows training, export or reports."""
    assert not {top(target) for module in MODULES if top(module) in RUNTIME for target in imports(module)} & MAKERS


def test_no_folder_is_most_of_the_house():
    """Each has at most a fifth of the lines."""
    lines = Counter()
    for module, path in MODULES.items():
        lines[top(module)] += len(path.read_text(encoding="utf-8").splitlines())
    assert {name: n for name, n in lines.items() if n > LARGEST_SHARE * lines.total()} == {}


def test_an_init_has_no_logic():
    """It names what its folder offers. That of the package loads the public names when they are first used (PEP 562)."""
    allowed = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign)
    wrong = [
        f"{module}: {ast.unparse(node)[:60]}"
        for module, path in MODULES.items()
        if path.name == "__init__.py" and module
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if not isinstance(node, allowed) or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) != "__all__")
    ]
    assert wrong == []


def test_no_file_has_a_name_that_says_nothing():
    """No utils, helpers, core, base, common."""
    stems = {path.stem for path in PACKAGE.rglob("*.py")} | {path.name for path in PACKAGE.rglob("*") if path.is_dir()}
    assert not stems & FORBIDDEN_NAMES


def test_no_file_outgrows_its_reader():
    """A file of more than about 300 lines becomes a folder of the same name."""
    assert {p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text(encoding="utf-8").splitlines())) > 310} == {}


def test_every_module_has_a_docstring():
    """The first thing in each file says what it is for."""
    wrong = [module for module, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert wrong == []


def test_the_tests_mirror_the_package():
    """A folder of tests is called like the folder that it tests, or is one of those that test the whole."""
    whole = {"fuzz", "live", "scripts"}
    folders = {path.parent.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")} - {"."}
    package = {path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    assert {folder for folder in folders if folder.split("/")[0] not in whole} <= package


def loaded_after(statement):
    """The modules that a fresh Python has loaded after a statement."""
    code = f"{statement}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "module",
    [
        "edgecls.labels.json_lines",
        "edgecls.run.pipeline",
        "edgecls.cli",
        "edgecls.model.classifier",
        "edgecls.dataset",
        "edgecls.fleet",
    ],
)
def test_the_runtime_never_loads_the_tools_that_made_the_model(module):
    """Importing it loads no keras, tensorflow, onnx or tf2onnx."""
    assert not loaded_after(f"import {module}") & {"keras", "tensorflow", "onnx", "tf2onnx", "matplotlib"}


WHOLE_HELP = "from edgecls.cli.entry import application; application()"


@pytest.mark.parametrize("statement", ["import edgecls", "import edgecls.cli", WHOLE_HELP])
def test_help_comes_at_once(statement):
    """The package, the parser and all commands load no NumPy, OpenCV or ONNX Runtime either."""
    assert not loaded_after(statement) & {"numpy", "cv2", "onnxruntime", "keras", "tensorflow"}


def test_sinks_load_what_they_need_when_they_are_opened():
    """The packages of the extras mqtt and metrics are loaded by those who open such a sink only."""
    assert not loaded_after("import edgecls.sink") & {"paho", "prometheus_client"}


def test_classifying_loads_no_training_tool(light_model):
    """Loading a model and asking it needs numpy, OpenCV and ONNX Runtime only."""
    statement = (
        f"import numpy, edgecls\nedgecls.Classifier.load({str(light_model)!r}).classify(numpy.zeros((9, 9, 3), numpy.uint8))"
    )
    assert not loaded_after(statement) & {"keras", "tensorflow", "onnx", "tf2onnx", "matplotlib"}
