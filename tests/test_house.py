"""The house is in order: rooms import downwards only, one file one noun, nothing private of JAX, docs that run."""

import ast
import doctest
import importlib
import pathlib
import pkgutil
import re
import subprocess
import sys

import pytest

import jaxmle

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "jaxmle"

FLOORS = {
    "core": 0,
    "densities": 1,
    "losses": 1,
    "tables": 1,
    "parameters": 1,
    "solvers": 1,
    "terms": 2,
    "priors": 3,
    "fitting": 3,
    "inference": 4,
    "models": 5,
    "plots": 6,
    "demo": 0,
    "cli": 7,
}


def modules():
    return [info.name for info in pkgutil.walk_packages([str(PACKAGE)], "jaxmle.")]


def imports_of(path):
    """Every jaxmle module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "jaxmle":
            for alias in node.names:
                yield f"{node.module}.{alias.name}" if node.module == "jaxmle" else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "jaxmle")


def room_of(name):
    return name.split(".")[1]


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def test_every_room_has_a_floor():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert rooms == set(FLOORS)


@pytest.mark.always
@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_or_stay_in_the_room(path):
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in imports_of(path):
        if name == "jaxmle":
            assert here == "cli", f"{path} imports the whole package"
            continue
        there = room_of(name)
        if here != "cli" and there == "__version__":
            continue
        assert there == here or FLOORS.get(there, 99) < FLOORS[here], f"{path} climbs from {here} to {name}"


@pytest.mark.always
def test_no_import_cycles_between_files():
    known = {".".join(("jaxmle", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in FILES}
    graph = {name: {target for target in imports_of(path) if target in known} for name, path in known.items()}
    done, open_ = set(), []

    def visit(name):
        assert name not in open_, f"import cycle: {' -> '.join([*open_[open_.index(name) :], name])}"
        if name not in done:
            open_.append(name)
            for target in graph[name]:
                visit(target)
            open_.pop()
            done.add(name)

    for name in graph:
        visit(name)


def test_nothing_private_of_jax():
    for path in FILES:
        assert not re.search(r"jax\._src|jax\.experimental", path.read_text()), path


@pytest.mark.parametrize("name", [name for name in modules() if not name.startswith("jaxmle.densities.")])
def test_docstrings_run(name):
    """Every example in the package; those of the densities run with their contract."""
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


def test_public_functions_are_documented_with_example_and_source():
    for name in jaxmle.__all__:
        thing = getattr(jaxmle, name)
        if callable(thing) and not isinstance(thing, type):
            assert ">>>" in (thing.__doc__ or ""), f"jm.{name} has no example"


def definitions(node, owner=None):
    """Every function and class of a file that is not inside a function, with the class that it belongs to."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield child, owner
        if isinstance(child, ast.ClassDef):
            yield from definitions(child, child)


def inherits_docstring(module, owner, name):
    """Whether a base of the class says what this method does."""
    bases = getattr(importlib.import_module(module), owner.name).__mro__[1:]
    return any(getattr(getattr(base, name, None), "__doc__", None) for base in bases)


@pytest.mark.always
@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_all_that_is_public_has_a_docstring(path):
    module = ".".join(("jaxmle", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for node, owner in definitions(ast.parse(path.read_text())):
        documented = node.name.startswith("_") or ast.get_docstring(node)
        documented = documented or (owner is not None and inherits_docstring(module, owner, node.name))
        assert documented, f"{module}: {owner.name + '.' if owner else ''}{node.name} has no docstring"


@pytest.mark.always
@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    """400 lines a file, and 50 a function below its signature and docstring."""
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
            assert node.end_lineno - first.lineno < 50, f"{node.name} is too long for a screen"


def test_no_root_function_bears_the_name_of_a_room():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    functions = {name for name in jaxmle.__all__ if callable(getattr(jaxmle, name))}
    assert not rooms & functions


def code_blocks(path):
    """The Python blocks of a Markdown file, each with the text block that follows it at once, if any."""
    text = path.read_text()
    return re.findall(r"```python\n(.*?)```(?:\n\nprints\n\n```text\n(.*?)```)?", text, flags=re.S)


@pytest.mark.always
@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_code_blocks_of_the_documents_run(name, capsys):
    blocks = code_blocks(ROOT / name)
    assert blocks
    space = {}
    for source, printed in blocks:
        exec(compile(source, name, "exec"), space)
        out = capsys.readouterr().out
        if printed:
            assert out.rstrip() == printed.rstrip()


def test_readme_gives_the_command_that_ci_runs():
    readme, script = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    commands = re.findall(r"```sh\n(.*?)\n```", readme, flags=re.S)
    assert len(commands) == 2
    assert commands[1] in script


@pytest.mark.always
def test_importing_leaves_heavy_packages_alone():
    code = "import jaxmle, sys; print([m for m in ('pandas', 'formulaic', 'matplotlib', 'scipy') if m in sys.modules])"
    before = "import jax, equinox, optax, sys; print([m for m in ('pandas', 'formulaic', 'matplotlib', 'scipy')"
    before += " if m in sys.modules])"
    run = [
        subprocess.run([sys.executable, "-c", c], capture_output=True, text=True, check=True) for c in (code, before)
    ]
    assert run[0].stdout == run[1].stdout
