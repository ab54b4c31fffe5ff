"""The observer's pages in a browser, and the two journeys that staff make through them."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success
from django_q.tasks import async_task
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from observability import api_keys, definitions, partitions, tasks
from observability.event_search import key_of
from observability.models import ApiKey, Event, ForwardRejection, QuarantineGroup
from tests import make
from tests.browser.conftest import PHONE, Visit

LONG = "a-name-without-any-space-in-it-" * 6


@pytest.fixture
def world(admin: User) -> None:
    """What migrations leave behind; the test before has emptied every table."""
    definitions.mirror_catalog()
    tasks.mirror_schedules()
    partitions.EVENTS.ensure_ahead(timezone.now())


def report(live_server: LiveServer, page: Page, key: str, *items: dict[str, object]) -> str:
    """Post events over real HTTP; return the correlation id of the answer."""
    answer = page.request.post(
        f"{live_server.url}/api/events",
        headers={"Authorization": f"Bearer {key}"},
        data={"batch": list(items)},
    )
    return answer.headers["x-correlation-id"]


def full(live_server: LiveServer, page: Page) -> list[str]:
    """Fill pages with something wide, and return the addresses of all that show it."""
    _, key = api_keys.issue(LONG[:80], ["events:write", "events:backfill", "health:read"])
    wide = {"distinct_id": LONG, "properties": {"user_id": "c-1", "role": "client"}}
    odd = make.event(event=f"e{'_x' * 30}", properties={LONG: LONG})
    report(live_server, page, key, make.event(**wide), odd, make.event(properties={LONG: 1}))
    now = timezone.now()
    rejection = ForwardRejection.objects.create(
        uuid=make.event()["uuid"], timestamp=now, event="sync_ok", status=400, reason=LONG, refused_at=now
    )
    run = {"func": f"observability.{LONG}", "started": now, "stopped": now}
    done = Success.objects.create(id="a" * 32, name=LONG[:100], success=True, **run)
    failed = Failure.objects.create(
        id="b" * 32, name="x", success=False, result=f"{LONG * 3} : Traceback", **run
    )
    Schedule.objects.filter(name="partitions").update(task=done.pk)
    async_task("observability.tasks.roll_up", LONG)
    unknown = QuarantineGroup.objects.get(code="unknown_event")
    group = QuarantineGroup.objects.get(code="missing_property")
    rows = [group, ApiKey.objects.get(), rejection, failed, OrmQ.objects.get(), Schedule.objects.first()]
    named = [(row._meta.app_label, row._meta.model_name, row.pk) for row in rows]
    return [
        "/admin/events/",
        f"/admin/events/?correlation_id={LONG}&distinct_id={LONG}",
        reverse("admin:event", args=[str(key_of(Event.objects.get(source="api")))]),
        "/admin/forwarding/",
        f"/admin/observability/eventdefinition/add/?from_group={unknown.pk}",
        "/admin/django_q/success/",
        *(f"/admin/{app}/{name}/" for app, name, _ in named),
        *(f"/admin/{app}/{name}/{pk}/change/" for app, name, pk in named),
    ]


def test_every_page_keeps_to_the_policy_has_one_heading_and_fits_a_phone(
    visit: Callable[..., Visit], admin: User, world: None, live_server: LiveServer
) -> None:
    window = visit(admin, viewport=PHONE)
    for path in full(live_server, window.page):
        page = window.to(path)
        assert page.locator("h1").count() == 1, path
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, path
    page = window.to("/api/docs")
    expect(page.get_by_role("button", name=re.compile("Report one event"))).to_be_visible()
    assert page.locator("h1, h2.title").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.get_by_role("link", name="Admin").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    assert window.complaints == []


def test_from_a_new_key_to_the_event_it_reported(
    visit: Callable[..., Visit], admin: User, world: None, live_server: LiveServer
) -> None:
    window = visit(admin)
    page = window.to("/admin/observability/apikey/")
    page.get_by_role("link", name="Add API key").click()
    page.get_by_label("Name").fill("booking-app")
    page.get_by_label("Report events", exact=True).check()
    page.get_by_role("button", name="Save").click()
    key = page.locator("pre.code").inner_text().strip()
    correlation_id = report(live_server, page, key, make.event())

    page.get_by_role("link", name="I have copied it").click()
    expect(page.locator("#result_list")).to_contain_text("booking-app")
    assert key not in page.content()
    page.get_by_role("link", name="Events", exact=True).click()
    page.get_by_label("Correlation id").fill(correlation_id)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main .quiet").first).to_have_text("1 event, newest first")
    page.locator("tbody th a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("user_logged_in")
    expect(page.locator(".facts")).to_contain_text("with the key booking-app")
    expect(page.locator("pre.code")).to_contain_text('"user_id": "c-1"')
    assert window.complaints == []


def test_from_the_quarantine_to_the_event_by_adding_it_as_a_custom_event(
    visit: Callable[..., Visit], admin: User, world: None, live_server: LiveServer
) -> None:
    _, key = api_keys.issue("booking-app", ["events:write"])
    window = visit(admin)
    sent = make.event(event="referral_shared", properties={"channel": "whatsapp"})
    report(live_server, window.page, key, sent)

    page = window.to("/admin/observability/quarantinegroup/")
    page.get_by_role("link", name="referral_shared").click()
    expect(page.get_by_text("1 of 1 refused")).to_be_visible()
    page.get_by_role("link", name="Add as custom event").click()
    expect(page.get_by_label("Name")).to_have_value("referral_shared")
    page.get_by_label("Description").fill("A client has recommended a trainer.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".messagelist")).to_contain_text("was added successfully")

    page = window.to("/admin/observability/quarantinegroup/")
    page.get_by_role("link", name="referral_shared").click()
    page.get_by_role("button", name="Re-ingest all").click()
    expect(page.locator(".messagelist")).to_contain_text("A worker is trying")
    # The worker's part.
    [waiting] = OrmQ.objects.all()
    assert tasks.reingest(*waiting.task["args"]) == (1, 0)

    page.reload()
    expect(page.get_by_text("every event of this kind has been let in")).to_be_visible()
    page.get_by_role("link", name="referral_shared").first.click()
    page.get_by_role("link", name="Newest events").click()
    expect(page.locator("tbody th a")).to_have_text("referral_shared")
    assert window.complaints == []
