"""The README tells the truth: every list in it is held against the code."""

import re
import tomllib
from pathlib import Path

from django.core.management import get_commands

from observability.catalog import CATALOG
from observability.models import ApiKey
from tests.bench import NAMES
from trainu import schedules

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return the text below a heading, up to the next heading."""
    match = re.search(rf"^#+ {re.escape(title)}$\n(.*?)(?=^##|\Z)", README, re.M | re.S)
    assert match, f"The README has no section {title!r}."
    return match[1]


def first_column(text: str) -> list[str]:
    """Return the code words in the first column of a table."""
    return re.findall(r"^\| `([^`]+)`", text, re.M)


def code_words(title: str) -> set[str]:
    """Return the code words in the text below a heading."""
    return {" ".join(words.split()) for words in re.findall(r"`([^`]+)`", section(title))}


def test_it_is_short_enough_to_be_read() -> None:
    assert README.count("\n") <= 250


def test_the_two_commands_are_there() -> None:
    assert "pip install uv && uv run manage.py up --demo" in README
    assert "pip install uv && uv run pytest" in README


def test_every_variable_of_the_code_is_in_the_configuration_table_and_no_other() -> None:
    source = (ROOT / "trainu" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", source))
    assert set(first_column(section("Configuration"))) == read


def test_every_dependency_is_argued_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = project["project"]["dependencies"] + project["dependency-groups"]["embedded"]
    names = {re.split(r"[\[<>=]", line)[0] for line in declared}
    assert set(first_column(section("Dependencies"))) == names


def test_the_map_names_every_room_that_exists_and_only_those() -> None:
    drawn = section("Map of the house").split("```")[1]
    listed = {
        before + name + after
        for before, names, after in re.findall(r"^(?:  )?([\w/]*)\{?([\w,]*)\}?([\w./]*) ", drawn, re.M)
        for name in names.split(",")
    }
    for room in listed:
        assert list(ROOT.glob(room.rstrip("/"))), f"The map names {room}, which is not there."
    for package in ("observability", "sync", "trainu"):
        for path in (ROOT / package).iterdir():
            if path.name.startswith("_") or path.name in {"migrations", "management", "apps.py"}:
                continue
            name = f"{package}/{path.name}{'/' if path.is_dir() else ''}"
            assert name in listed, f"The map leaves out {name}."


def test_every_command_of_ours_is_explained_and_no_other() -> None:
    ours = {name for name, app in get_commands().items() if app in {"observability", "sync", "trainu"}}
    assert code_words("Commands") == ours


def test_every_scope_is_explained() -> None:
    assert code_words("Scopes") == set(ApiKey.Scope.values)


def test_every_schedule_is_listed() -> None:
    assert code_words("Schedules") == {entry.name for entry in schedules.registered()}


def test_every_benchmark_is_named() -> None:
    assert set(re.findall(r"tests\.bench\s+(\w+)", README)) == set(NAMES)


def test_the_events_of_the_catalog_are_counted_right() -> None:
    [count] = re.findall(r"(\d+)\s+events of the catalog", README)
    assert int(count) == len(CATALOG)
