"""Logs and traces in a browser: the live tail, by keyboard, within the policy and on a phone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Page, expect

from observability import partitions
from observability.models import LogLine
from tests.browser.conftest import PHONE, Visit
from tests.observability.test_log_search import keep

ID = "0123456789abcdef"
LONG = "a-name-without-any-space-in-it-" * 6


@pytest.fixture
def days(admin: User) -> None:
    """Partitions for what is written here; the test before may have emptied every table."""
    for table in partitions.ALL:
        table.ensure_ahead(timezone.now())


def hurry(page: Page) -> None:
    page.evaluate("document.querySelector('.live').dataset.everyMs = 150")


def wait_a_poll(page: Page) -> None:
    with page.expect_response(lambda answer: "/admin/logs/tail/" in answer.url):
        pass


def test_the_live_tail_follows_new_lines_pauses_and_ends_with_the_session(
    visit: Callable[..., Visit], admin: User, days: None
) -> None:
    keep([timezone.now() - timedelta(minutes=5)], event="long_ago")
    window = visit(admin)
    page = window.to("/admin/logs/?level=warn-up")
    expect(page.get_by_role("heading", name="No lines match")).to_be_visible()
    button, status = page.get_by_role("button", name="Live tail"), page.get_by_role("status")
    expect(button).to_have_attribute("aria-pressed", "false")

    hurry(page)
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    hostile = "<img src=x onerror=alert(1)>"
    keep([timezone.now()], level="error", event=hostile, rest={"exception": f"ValueError: {LONG * 5}"})
    keep([timezone.now()], event="below the level")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("heading", name="No lines match")).to_be_hidden()
    expect(status).to_have_text("1 new line.")
    # The next answer brings the same line again.
    wait_a_poll(page)
    keep([timezone.now()], level="warn", event="second", correlation_id=ID)
    expect(status).to_have_text("2 new lines.")
    expect(page.locator("tbody summary")).to_have_text(["second", hostile])

    page.locator("tbody summary").last.press("Enter")
    expect(page.get_by_label("Exception")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0

    button.press("Enter")
    expect(status).to_have_text("The live tail is paused.")
    button.press("Enter")
    wait_a_poll(page)
    Session.objects.all().delete()
    expect(status).to_have_text("The live tail has ended: sign in again.")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert window.complaints == []


def test_a_tail_out_of_sight_asks_nothing(visit: Callable[..., Visit], admin: User, days: None) -> None:
    page = visit(admin).to("/admin/logs/")
    hurry(page)
    page.get_by_role("button", name="Live tail").click()
    wait_a_poll(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def show(hidden: str) -> None:
        page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{configurable: true, get: () => {hidden}}});"
            "document.dispatchEvent(new Event('visibilitychange'));"
        )

    show("true")
    page.wait_for_timeout(500)
    assert asked == []
    keep([timezone.now()], event="meanwhile")
    show("false")
    expect(page.locator("tbody summary")).to_have_text("meanwhile")


def test_from_a_line_to_its_trace_on_a_phone(visit: Callable[..., Visit], admin: User, days: None) -> None:
    moment = timezone.now() - timedelta(seconds=30)
    keep([moment], event=LONG, correlation_id=ID, service=LONG, user_id=LONG)
    keep([moment], level="error", event="broken", correlation_id=ID, rest={"exception": LONG * 3, LONG: LONG})
    window = visit(admin, viewport=PHONE)
    page = window.to("/admin/logs/")
    for summary in page.locator("tbody summary").all():
        summary.press("Enter")
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    for control in page.locator("form.search-form :is(input, select)").all():
        assert control.evaluate("field => field.labels.length") == 1
    page.locator("tbody td a").first.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(ID)
    expect(page.locator("tbody tr")).to_have_count(2)
    page.locator("tbody summary").first.press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0

    page.get_by_label("Any id", exact=True).fill("nowhere-to-be-found")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing is stored under this id")).to_be_visible()
    assert LogLine.objects.count() == 2
    assert window.complaints == []
