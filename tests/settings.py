"""The service's settings for tests: a data folder of their own, quick passwords, quiet logs.

They stand in a module because pytest-django reads settings before any conftest.
"""

import os
import tempfile

# Two runs at once need a folder each: name it.
folder = os.environ.get("TRAINU_TEST_DATA_DIR", f"{tempfile.gettempdir()}/trainu-tests-{os.getuid()}")
# Nothing of the developer's own environment reaches a test, except a server named on purpose.
for name in [name for name in os.environ if name.startswith(("TRAINU_", "POSTHOG_", "SENTRY_"))]:
    del os.environ[name]
os.environ["TRAINU_DATA_DIR"] = folder
os.environ["TRAINU_LOG_LEVEL"] = "ERROR"
os.environ["TRAINU_SECRET_KEY"] = "only-for-tests-on-loopback-0123456789abcdefghijkl"

from trainu.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TIMING_SAMPLE_EVERY = 0
# Its thread has a connection of its own, which commits for real.
LOG_STORE = False
