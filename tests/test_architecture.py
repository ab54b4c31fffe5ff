"""What the house promises of itself: who may know whom, how large a room may grow, where HTTP stands."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("trainu", "observability", "sync")
LONGEST_FILE = 320
LONGEST_FUNCTION = 50
TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "README.md",
    "manage.py",
    "observability",
    "pyproject.toml",
    "sync",
    "templates",
    "tests",
    "trainu",
}


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node


def test_import_contracts_are_kept() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_the_contract_names_every_module_of_sync_but_signals_and_stats() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [contract] = [one for one in contracts if one["type"] == "forbidden"]
    there = {f"sync.{path.stem}" for path in (ROOT / "sync").iterdir() if path.suffix == ".py"}
    there |= {f"sync.{path.name}" for path in (ROOT / "sync").iterdir() if (path / "__init__.py").exists()}
    assert set(contract["forbidden_modules"]) == there - {"sync.__init__", "sync.signals", "sync.stats"}


def test_nothing_stands_beside_the_rooms_of_the_design() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {line.split("/")[0] for line in tracked.stdout.splitlines()} <= TOP_LEVEL


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_says_what_it_is_for_and_stays_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if not source.strip():
        return
    assert ast.get_docstring(ast.parse(source)) or path.name == "__init__.py" or "commands" in path.parts
    assert source.count("\n") <= LONGEST_FILE
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= LONGEST_FUNCTION, f"{function.name} has {length} lines"


def test_rooms_have_names_of_their_own() -> None:
    nameless = {"utils", "helpers", "services", "manager", "managers", "common", "base", "misc"}
    found = [str(path) for path in modules() if path.stem in nameless]
    # Django asks for this one name: the module of a database backend.
    assert [path for path in found if not path.endswith("trainu/embedded/base.py")] == []


def test_templates_carry_no_inline_script_style_or_handler() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        source = re.sub(r"\{#.*?#\}|\{% comment.*?endcomment %\}", "", path.read_text(), flags=re.S)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|safe\b", source), path
        for attributes in re.findall(r"<script([^>]*)>", source):
            assert "src=" in attributes or "application/json" in attributes, path


def test_no_file_names_a_place_of_one_machine_or_a_registry() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        if name.endswith((".py", ".html", ".md", ".toml", ".css", ".js", "run")):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not re.search(r"pypi\.org|files\.pythonhosted|registry\.npmjs|deb\.debian", text) or (
                name == "tests/test_architecture.py"
            )
