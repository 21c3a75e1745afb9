"""The package keeps to its layout: `docs/architecture.md` has the table of rooms, this file holds it to be true."""

import ast
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import intrastyler_nnunet

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parents[1]
PACKAGE = Path(intrastyler_nnunet.__file__).parent
GROUND = {
    "errors", "files", "locks", "nifti", "images", "grids", "label_maps", "workers", "devices", "typed_json",
    "workflow", "structures", "shipped",
}  # fmt: skip
ROOMS = {  # what each room imports from, itself apart
    "ground": set(),
    "model": {"ground"},
    "translation": {"ground", "model"},
    "objective": {"ground", "model", "translation"},
    "styles": {"ground", "model", "translation"},
    "nnunet": {"ground", "model", "translation", "objective", "styles"},
    "pretraining": {"ground", "model", "translation", "objective", "styles", "nnunet"},
    "offline": {"ground", "model", "translation", "objective", "styles", "nnunet", "pretraining"},
    "evaluation": {"ground"},
    "simulation": {"ground"},
}
ROOMS["crossmoda"] = ROOMS["report"] = set(ROOMS)
ROOMS["adaptation"] = set(ROOMS)
ROOMS["demo"] = set(ROOMS)
ROOMS["cli"] = set(ROOMS)
ROOMS["trainers"] = {"nnunet"}  # part of the package once it is installed
NOT_ANNOTATED = {"crossmoda", "demo", "nnunet", "offline", "pretraining", "report", "simulation"}  # never one more
INTERFACE = {"add_arguments", "run"}  # of every command's module
ENTRY_POINT = "main"  # of a module that `python -m` runs
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
LONGEST_FILE = 350


def room_of(module: str) -> str:
    """The room of a module that is named from the package on, such as `model.generator`."""
    first = module.split(".")[0]
    return "ground" if first in GROUND else first


def imports_of(path: Path) -> set[str]:
    """Modules of the package that a file imports, anywhere in it, named from the package on."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names}
    prefix = f"{PACKAGE.name}."
    return {name.removeprefix(prefix) for name in found if name.startswith(prefix)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_the_rooms_above_it(path):
    relative = path.relative_to(PACKAGE)
    if len(relative.parts) == 1 and relative.stem == "__init__":
        pytest.skip("names the public classes, loaded on demand")
    room = room_of(relative.parts[0].removesuffix(".py"))
    assert room in ROOMS, f"{relative} is in no room of the table"
    upwards = {name for name in imports_of(path) if room_of(name) not in ROOMS[room] | {room}}
    assert not upwards


def test_a_file_name_stands_for_one_file():
    named = defaultdict(list)
    for path in MODULES:
        if path.parent.name != "cli" and path.name not in ("__init__.py", "config.py"):
            named[path.name].append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in named.items() if len(paths) > 1} == {}


def test_a_class_or_function_name_stands_for_one_thing():
    defined = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
                continue
            if node.name != ENTRY_POINT and (path.parent.name != "cli" or node.name not in INTERFACE):
                defined[node.name].append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}


def test_no_file_is_long():
    paths = [*MODULES, *(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "benchmarks").rglob("*.py")]
    long = {str(path): lines for path in paths
            if (lines := len(path.read_text().splitlines())) > LONGEST_FILE}  # fmt: skip
    assert long == {}


def test_types_are_checked_everywhere_but_in_a_shrinking_list_of_rooms():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["mypy"]
    assert settings["files"] == [PACKAGE.name]
    unchecked = {module for entry in settings["overrides"] if entry.get("ignore_errors") for module in entry["module"]}
    assert unchecked == {f"{PACKAGE.name}.{room}.*" for room in NOT_ANNOTATED}
