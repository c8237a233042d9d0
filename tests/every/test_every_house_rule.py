"""The rules of the house, held against the tree itself."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "striate"
FILES = sorted(PACKAGE.rglob("*.py"))
TORCH_FREE = [
    "errors",
    "runs",
    "ops",
    "graph",
    "bundle",
    "sketch",
    "onnx",
    "arithmetic",
    "reference",
    "engine",
    "report",
    "explanation",
]
TORCH_FREE += ["doctor", "cli", "api", "training.events"]
TORCH_FREE += [
    f"data.{name}" for name in ("folder", "check", "split", "decode", "preprocess", "catalogue", "named")
]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_says_what_it_is_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module docstring says what the file is"
    assert len(text.splitlines()) <= 300, "small files, one idea each"
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_assert_no_pickle_no_eval(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    assert not calls & {"eval", "exec", "print"}
    attributes = {
        (node.func.value.id, node.func.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    }
    assert not attributes & {("pickle", "load"), ("pickle", "loads")}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_nothing_imports_the_package_root(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "striate" and path != PACKAGE / "__init__.py":
            taken = {alias.name for alias in node.names}
            rooms = {child.stem for child in PACKAGE.iterdir()}
            assert taken <= rooms | {"__version__"}, f"{relative(path)} takes {taken} from the package root"


def imports_torch(module: str) -> bool:
    code = f"import sys, striate.{module}; sys.exit(int('torch' in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 1


def test_torch_free_rooms_do_not_import_torch() -> None:
    everything = "; ".join(f"import striate.{module}" for module in TORCH_FREE)
    code = f"import sys; {everything}; sys.exit(int('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_test_above_can_fail() -> None:
    assert imports_torch("training.step")


def test_every_public_name_resolves() -> None:
    import striate

    for name in striate.__all__:
        assert getattr(striate, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'resnet'"):
        striate.resnet  # noqa: B018


def test_public_functions_stay_functions_when_all_rooms_are_imported() -> None:
    """A room called like a public function would take its place as soon as it is imported."""
    rooms = [child.name for child in PACKAGE.iterdir() if (child / "__init__.py").exists()]
    code = "; ".join(["import striate", *(f"import striate.{room}" for room in rooms)])
    code += (
        "; assert all(callable(getattr(striate, n)) for n in striate.__all__ if n not in ('layers', 'ops'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_map_of_the_house_is_true(readme: str) -> None:
    """Each room stands in the README's map, and each line of the map is a room."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    drawn = set(re.findall(r"^  ([a-z_]+(?:/|\.py))\s", text, flags=re.MULTILINE))
    rooms = {f"{child.name}/" for child in PACKAGE.iterdir() if (child / "__init__.py").exists()}
    files = {child.name for child in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert drawn == rooms | files


def test_each_dependency_has_its_line() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [entry for group in project["optional-dependencies"].values() for entry in group]
    names = {re.split(r"[\[<>=]", entry)[0] for entry in [*project["dependencies"], *extras]} - {"striate"}
    lines = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert {name for name in names if f"| {name} |" not in lines} == set()
