"""From the link that an alert carries to resolved, in a browser: by an operator, and then by a lead.

The rule: each does what the role may do and by keyboard where it says so; what is wrong is real: letters died
in GoHighLevel's hands, and a rule has fired.
"""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from observability import partitions
from observability.alerts import incidents
from observability.models import AlertRule, Incident, Silence
from tests.browser.conftest import PHONE, Visit
from tests.observability.alerts.standing import HOUR, fire, measured, rule
from tests.sync.dying import dead_letters, location
from trainu import roles

PASSWORD = "correct horse"


@pytest.fixture
def incident(transactional_db: None) -> Incident:
    """Jobs die, and the rule that looks at them has fired; the test before may have emptied every table."""
    now = timezone.now()
    roles.load()
    for table in partitions.ALL:
        table.ensure_ahead(now)
    location()
    with transaction.atomic():
        dead_letters(3, at=now - timedelta(minutes=20))
    measured("sync_failure_rate", [0.0] * 300 + [9.0] * 20, until=now)
    return fire("sync_failure_rate", ago=timedelta(minutes=15))


def member(role: roles.Role) -> User:
    user = User.objects.create_user(role.label, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role.name))
    return user


def press(page: Page, name: str) -> None:
    """Go to a button or summary by the tabulator key alone, and press it."""
    for _ in range(120):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText || ''")
        if re.fullmatch(name, str(focused).strip()):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"The tabulator key never came to {name}.")


def is_narrower_than_its_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_from_the_alerts_link_to_the_cause_and_resolved(
    visit: Callable[..., Visit], incident: Incident
) -> None:
    member(roles.OPERATOR)
    window = visit(viewport=PHONE)
    link = reverse("admin:observability_incident_change", args=[incident.pk])
    # Whoever is called at night is not signed in, and comes to the incident all the same.
    page = window.to(link)
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sync jobs fail")
    expect(page.get_by_role("link", name="Incidents 1 open")).to_have_count(0)  # in the menu, which is closed
    assert is_narrower_than_its_window(page)
    expect(page.get_by_text("Threshold: 1")).to_be_visible()

    press(page, "Acknowledge")
    expect(page.locator(".standing")).to_contain_text("operator acknowledged it")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    expect(page.get_by_text("Silencing needs a permission")).to_be_visible()

    page.get_by_role("link", name="Causes of dead letters").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody th a").first.click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    page.go_back()
    page.go_back()
    page.get_by_label("What you found out").fill("A field that GoHighLevel does not take any more.")
    page.get_by_role("button", name="Note it").click()
    expect(page.locator(".story")).to_contain_text("does not take any more")
    page.get_by_label("What was done about it").fill("The form sends the field in its new shape.")
    page.get_by_label("What was done about it").press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".standing")).to_contain_text("Resolved")
    expect(page.locator(".story")).to_contain_text("in its new shape")
    incident.refresh_from_db()
    assert (incident.state, incident.acknowledged_at is not None) == ("resolved", True)
    page = window.to("/admin/observability/incident/")
    expect(page.get_by_role("heading", name="No incident is open")).to_be_visible()
    assert window.complaints == []


def test_a_lead_tries_a_threshold_saves_it_and_silences(
    visit: Callable[..., Visit], incident: Incident
) -> None:
    window = visit(member(roles.LEAD), color_scheme="dark")
    page = window.to(reverse("admin:observability_incident_change", args=[incident.pk]))
    page.get_by_text("Silence it", exact=True).click()
    page.get_by_label("Tell nobody of it for").select_option("4 hours")
    page.get_by_label("Why, for whoever wonders").fill("The form is being mended")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.get_by_text(re.compile("Nobody is told of it until"))).to_be_visible()
    silence = Silence.objects.get()
    assert (silence.rule_id, silence.ends_at - silence.begins_at) == ("sync_failure_rate", 4 * HOUR)

    page.get_by_role("link", name="Sync jobs fail").first.click()
    page.get_by_label("Threshold, per cent").fill("20")
    page.get_by_role("button", name="Try").click()
    tried = page.locator("section", has=page.get_by_role("heading", name="What that would have done"))
    expect(tried.get_by_text("this would have fired once")).to_be_visible()
    expect(tried.get_by_text("this would never have fired")).to_be_visible()
    expect(tried.get_by_text("Measured only since")).to_be_visible()
    assert AlertRule.objects.get(pk="sync_failure_rate").threshold == 0.01
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. It holds")).to_be_visible()
    assert AlertRule.objects.get(pk="sync_failure_rate").threshold == 0.2
    page.get_by_role("link", name="Silences", exact=True).click()
    page.get_by_role("button", name="End the silence of Sync jobs fail").click()
    expect(page.get_by_role("heading", name="No silence holds")).to_be_visible()
    assert window.complaints == []


def test_a_sev1_stands_above_every_page_until_somebody_sees_to_it(
    visit: Callable[..., Visit], incident: Incident
) -> None:
    worst = fire("sev1_fault")
    window = visit(member(roles.OPERATOR))
    page = window.to("/admin/logs/")
    page.get_by_role("link", name=re.compile("^SEV1 that nobody has acknowledged")).click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged. It is told again only")).to_be_visible()
    page = window.to("/admin/logs/")
    expect(page.get_by_text("SEV1 that nobody has acknowledged")).to_have_count(0)
    incidents.resolve(worst, by="staff:1", reason="Restored", now=timezone.now())
    assert rule().is_enabled
    assert window.complaints == []
