"""Bugsink, a real Sentry server, as a tool of the tests: installed into an environment of its own.

It is never a dependency of the project. It stands in the test data folder, where later runs find it,
with its database migrated and its one project made. It listens on loopback and phones nobody.
"""

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import servers
from tests.journeys.database import eventually

REQUIREMENT = "bugsink>=2.6,<2.7"
EXCLUDE_NEWER = "2026-11-22"
KEY = "0123456789abcdef0123456789abcdef"

SETTINGS = """
import os
from bugsink.settings.default import *

FOLDER = os.environ["BUGSINK_FOLDER"]
SECRET_KEY = "only-for-tests-on-loopback-0123456789abcdefghijkl"
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES["default"]["NAME"] = f"{FOLDER}/db.sqlite3"
DATABASES["snappea"]["NAME"] = f"{FOLDER}/snappea.sqlite3"
SNAPPEA = {"TASK_ALWAYS_EAGER": True}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
BUGSINK = {
    "BASE_URL": os.environ["BUGSINK_URL"],
    "SINGLE_USER": True,
    "SINGLE_TEAM": True,
    "USER_REGISTRATION": "CB_NOBODY",
    "PHONEHOME": False,
    "INGEST_STORE_BASE_DIR": f"{FOLDER}/ingestion",
}
"""
PREPARE = f"""
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0, interactive=False)
call_command("migrate", "snappea", database="snappea", verbosity=0, interactive=False)
from bsmain.models import AuthToken
from projects.models import Project
from teams.models import Team
team = Team.objects.create(name="tests")
Project.objects.create(team=team, name="tests", slug="tests", sentry_key="{KEY}")
print(AuthToken.create_full_access().token)
"""
# What is installed and prepared; where it differs, everything is made anew.
STAMP = json.dumps([REQUIREMENT, EXCLUDE_NEWER, sys.version, SETTINGS, PREPARE])


class CannotInstall(Exception):
    """Bugsink could not be installed; says why."""


@dataclass(frozen=True)
class Bugsink:
    """A running server, and how to read through its own API what it has stored."""

    url: str
    token: str
    folder: Path

    @property
    def dsn(self) -> str:
        return f"{self.url.replace('http://', f'http://{KEY}@')}/1"

    def get(self, path: str) -> Any:
        """Return what the API says. path: below /api/canonical/0/, or a whole address of its."""
        address = path if path.startswith("http") else f"{self.url}/api/canonical/0/{path}"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def stored(self) -> list[str]:
        """Return every event as it stands in the database, as JSON text."""
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as connection:
            return [data for (data,) in connection.execute("select data from events_event")]

    def rows(self, path: str) -> list[dict[str, Any]]:
        """Return every row of a list, page after page."""
        rows: list[dict[str, Any]] = []
        following: str | None = path
        while following:
            page = self.get(following)
            rows += page["results"]
            following = page["next"]
        return rows


@contextmanager
def running(data_dir: Path, folder: Path) -> Iterator[Bugsink]:
    """Run a server for the time of a block. data_dir: where it is installed; folder: where it stores.

    Raises CannotInstall.
    """
    home = data_dir / "bugsink"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        token = _prepared(home)
    for name in ("db.sqlite3", "snappea.sqlite3"):
        shutil.copy(home / "template" / name, folder / name)
    url = f"http://127.0.0.1:{servers.free_port()}"
    command = [
        *_python(home, "-m", "gunicorn", "--bind", url.removeprefix("http://")),
        *("--workers", "1", "--threads", "2", "--log-level", "error", "bugsink.wsgi"),
    ]
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            command, env=_environment(home, folder, url), cwd=folder, stdout=output, stderr=output
        )
    try:
        eventually(lambda: process.poll() is not None or _is_ready(url), 60)
        assert _is_ready(url), (folder / "output").read_text()[-2000:]
        yield Bugsink(url, token, folder)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _prepared(home: Path) -> str:
    """Install and migrate where that has not been done yet; return the token of the API."""
    stamp = home / "stamp"
    if not stamp.exists() or stamp.read_text() != STAMP:
        stamp.unlink(missing_ok=True)
        shutil.rmtree(home / "template", ignore_errors=True)
        _install(home)
        (home / "bugsink_test_settings.py").write_text(SETTINGS)
        template = home / "template"
        template.mkdir()
        environment = _environment(home, template, "http://127.0.0.1")
        (template / "token").write_text(_run(_python(home, "-c", PREPARE), environment).split()[-1])
        stamp.write_text(STAMP)
    return (home / "template" / "token").read_text()


def _install(home: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        raise CannotInstall("uv is not on the PATH.")
    shutil.rmtree(home / "venv", ignore_errors=True)
    # It asks for a certifi of a day that an index may not have yet, and verifies no certificate here.
    (home / "override.txt").write_text("certifi\n")
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(home / "venv")], dict(os.environ))
    install = [uv, "pip", "install", "--quiet", "--python", str(home / "venv")]
    install += ["--exclude-newer", EXCLUDE_NEWER, "--override", str(home / "override.txt"), REQUIREMENT]
    _run(install, dict(os.environ))


def _run(command: list[str], environment: dict[str, str]) -> str:
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if run.returncode:
        raise CannotInstall(f"{Path(command[0]).name} {command[1]} failed: {run.stderr[-1500:]}")
    return run.stdout


def _python(home: Path, *arguments: str) -> list[str]:
    return [str(home / "venv" / "bin" / "python"), *arguments]


def _environment(home: Path, folder: Path, url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(home),
        "DJANGO_SETTINGS_MODULE": "bugsink_test_settings",
        "BUGSINK_FOLDER": str(folder),
        "BUGSINK_URL": url,
    }


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
