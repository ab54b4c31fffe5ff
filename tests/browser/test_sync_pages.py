"""Sync's pages in a browser: the policy, a phone's width, and the way to GoHighLevel that it allows."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import expect
from pytest_django import Settings

from sync import jobs, locations
from sync.models import CauseGroup, SyncAttempt
from tests.browser.conftest import PHONE, Visit
from tests.sync.dying import dead_letters, location
from trainu.demo.ghl import Simulator
from trainu.partitioned_table import PartitionedTable

HERE = "studioOfTheTests00001"
PAGE = f"/admin/sync/location/{HERE}/change/"


@pytest.fixture
def ghl(settings: Settings) -> Iterator[Simulator]:
    with Simulator(seed=7) as simulator:
        settings.GHL_BASE_URL = simulator.url
        settings.GHL_CLIENT_ID, settings.GHL_CLIENT_SECRET = "demo-client", "demo-client-secret"
        settings.GHL_AUTHORIZE_URL = f"{simulator.url}/chooselocation"
        simulator.location(HERE, token="pit-of-the-tests-0001")
        yield simulator


@pytest.fixture
def paths(admin: User, ghl: Simulator) -> list[str]:
    now = timezone.now()
    locations.add(HERE, "A studio with a name that goes on and on " * 2, now=now)
    locations.hold(
        HERE, "unauthorized", "GoHighLevel does not accept the location's token (any more).", now=now
    )
    job = jobs.enqueue("contact.upsert", HERE, {"email": "a@example.org"}, now=now).job_id
    PartitionedTable("sync_attempt").ensure([now.date()])
    SyncAttempt.objects.create(
        started_at=now,
        job_id=job,
        fence=1,
        kind="send",
        outcome="transient",
        code="status_503",
        status=503,
        duration_ms=9,
        request={"path": "/contacts/" + "x" * 200},
    )
    return [
        "/admin/sync/flight/",
        "/admin/sync/location/",
        PAGE,
        "/admin/sync/syncjob/",
        f"/admin/sync/syncjob/{job}/change/",
    ]


def test_every_page_keeps_to_the_policy_has_one_heading_and_fits_a_phone(
    visit: Callable[..., Visit], admin: User, paths: list[str]
) -> None:
    window = visit(admin, viewport=PHONE)
    for path in [*paths, "/admin/sync/location/add/"]:
        page = window.to(path)
        assert page.locator("h1").count() == 1, path
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, path
    assert window.complaints == []


def test_a_token_is_entered_and_the_location_paused_and_connected(
    visit: Callable[..., Visit], admin: User, paths: list[str], ghl: Simulator
) -> None:
    window = visit(admin)
    page = window.to(PAGE)
    page.get_by_label("Token of the private integration").fill("pit-of-the-tests-0001")
    page.get_by_role("button", name="Check and keep").click()
    expect(page.get_by_text("GoHighLevel accepts the token")).to_be_visible()
    expect(page.locator(".pill-ok", has_text="Active")).to_be_visible()
    page.get_by_label("Reason, for whoever finds it paused").fill("They move")
    page.get_by_label("How long").select_option("for a day")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("in 23 hours")).to_be_visible()
    page.get_by_role("button", name="Connect by GoHighLevel").click()
    link = page.get_by_role("link", name="Continue to GoHighLevel")
    assert str(link.get_attribute("href")).startswith(f"{ghl.url}/chooselocation?response_type=code")
    assert window.complaints == []


def test_causes_fit_a_phone_keep_to_the_policy_and_are_worked_by_keyboard(
    visit: Callable[..., Visit], admin: User
) -> None:
    location()
    with transaction.atomic():
        dead_letters(3, at=timezone.now(), words="x" * 400)
    group = CauseGroup.objects.get()
    window = visit(admin, viewport=PHONE)
    page = window.to("/admin/sync/causegroup/")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.get_by_role("link", name="GoHighLevel finds a field wrong or missing").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("GoHighLevel finds a field wrong or missing")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.get_by_role("button", name="Acknowledge").press("Enter")
    expect(page.get_by_text("Acknowledged by ada")).to_be_visible()
    page.get_by_label("A note for whoever works on it next").fill("Their form.")
    page.get_by_role("button", name="Note it").press("Enter")
    expect(page.get_by_text("Their form.")).to_be_visible()
    assert group.notes.count() == 1
    assert window.complaints == []
