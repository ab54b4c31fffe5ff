"""A real browser for the few promises that only a browser can keep: policy, keyboard, width, colour.

Debian's Chromium, driven by playwright. The rule: no browser, no pass (a skipped test protects nobody).
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.browser.windows import DESKTOP, FLAGS, PHONE

__all__ = ["DESKTOP", "PHONE", "Visit"]

# Waited for only by what never comes: beside another process a page that takes one second may take ten.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  const where = `${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`;
  console.error(`CSP refused ${event.violatedDirective}: ${where}`);
});
"""


# One browser a module, not a session: while playwright's sync API is started, this thread has a running
# event loop, in which Django refuses queries and asyncio.run() fails, for every test that follows.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # The shell is the same browser without a window of its own, which costs as much as the pages in it.
    executable = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if executable is None:
        pytest.fail("No browser: install Debian's chromium-headless-shell or chromium by apt-get.")
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            started = playwright.chromium.launch(executable_path=executable, args=FLAGS)
            yield started
            started.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture(scope="session", autouse=True)
def _files_are_kept() -> Iterator[None]:
    """Let browsers keep stylesheets and scripts for minutes, as the service does: a page has a dozen."""
    serve = StaticFilesHandler.serve

    def with_age(handler: StaticFilesHandler, request: HttpRequest) -> HttpResponseBase:
        answer = serve(handler, request)
        answer["Cache-Control"] = f"max-age={settings.WHITENOISE_MAX_AGE}"
        return answer

    with patch.object(StaticFilesHandler, "serve", with_age):
        yield


@dataclass
class Visit:
    """A browser window on the service, which remembers what the browser complained about."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def to(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{self.page.url}: {message.text}")


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., Visit]]:
    """Open a window: visit(user) signed in, visit() not; viewport and colour scheme as given."""
    contexts = []

    def opened(
        user: User | None = None, *, viewport: dict[str, int] = DESKTOP, color_scheme: str = "light"
    ) -> Visit:
        context = browser.new_context(viewport=viewport, color_scheme=color_scheme)
        contexts.append(context)
        if user:
            client = Client()
            client.force_login(user)
            cookie = client.cookies["sessionid"]
            context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": live_server.url}])
        context.add_init_script(REPORT_VIOLATIONS)
        window = Visit(context.new_page(), live_server.url)
        window.page.set_default_timeout(PATIENCE_MS)
        window.page.on("console", window.hear)
        window.page.on("pageerror", lambda error: window.complaints.append(f"{window.page.url}: {error}"))
        return window

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def admin(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", "ada@example.test", "correct horse")


@pytest.fixture
def newcomer(transactional_db: None) -> User:
    """A member of staff to whom nobody has given a permission yet."""
    return User.objects.create_user("nora", password="battery staple", is_staff=True)


@pytest.fixture
def group_keeper(newcomer: User) -> User:
    """A member of staff who may change groups, and nothing else."""
    newcomer.user_permissions.add(Permission.objects.get(codename="change_group"))
    return newcomer
