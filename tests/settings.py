"""The service's settings for tests: a data folder of their own, quick passwords, quiet logs.

They stand in a module because pytest-django reads settings before any conftest.
"""

import os
import sys
import tempfile
from pathlib import Path

# Two runs at once need a folder each: name it.
FOLDER = "TRAINU_TEST_DATA_DIR"
folder = os.environ.get(FOLDER, f"{tempfile.gettempdir()}/trainu-tests-{os.getuid()}")
# What is installed and compiled once for all processes of a run, and for later runs.
SHARED_DIR = Path(folder)
if process := os.environ.get("PYTEST_XDIST_WORKER"):
    # Each process of a run has a server of its own: transaction ids, which roll-ups go by, are a server's.
    folder = f"{folder}/{process}"
    if os.environ.get("DATABASE_URL"):
        raise SystemExit("Two processes cannot share the server that DATABASE_URL names: pytest -n 0")
# What is compiled is kept there, also where Python is told not to write beside the sources: every process
# of a run, and every child that a journey starts, would compile half a minute's worth anew.
sys.dont_write_bytecode, sys.pycache_prefix = False, str(SHARED_DIR / "python-cache")
os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": sys.pycache_prefix}
# Nothing of the developer's own environment reaches a test, except a server named on purpose.
for name in [
    name
    for name in os.environ
    if name.startswith(("TRAINU_", "POSTHOG_", "SENTRY_", "GHL_", "LLM_", "OPENAI_"))
]:
    if name != FOLDER:
        del os.environ[name]
os.environ["TRAINU_DATA_DIR"] = folder
os.environ["TRAINU_LOG_LEVEL"] = "ERROR"
os.environ["TRAINU_SECRET_KEY"] = "only-for-tests-on-loopback-0123456789abcdefghijkl"

from trainu.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TIMING_SAMPLE_EVERY = 0
# Each client of a test is a server, which would list all static files anew (18 ms) to know them by heart.
WHITENOISE_AUTOREFRESH = True
# Its thread has a connection of its own, which commits for real.
LOG_STORE = False
