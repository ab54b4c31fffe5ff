"""A Monday morning: from signing in to the last of four causes resolved, by the people whose work it is.

The rule: staff do everything in the browser, each with the role that the task asks for; what GoHighLevel and
the workers do meanwhile is real, and what is said of it is read off the pages.
"""

import re
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Page, expect
from pytest_django import Settings

from sync.models import BulkOperation, CauseGroup, DeadLetter, SyncJob
from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.morning import Morning
from trainu import roles
from trainu.demo import monday
from trainu.demo.ghl import Simulator

PASSWORD = "correct horse"


@pytest.fixture
def morning(transactional_db: None, settings: Settings) -> Iterator[Morning]:
    with Simulator(seed=1, limits=False) as simulator:
        settings.GHL_BASE_URL = simulator.url
        begun = Morning(simulator)
        yield begun
        begun.ends()


def member(role: roles.Role) -> User:
    roles.load()
    user = User.objects.create_user(role.label, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role.name))
    return user


def sign_in(window: Visit, user: User) -> Page:
    page = window.to("/admin/")
    page.get_by_label("Username").fill(user.get_username())
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    return page


def open_cause(window: Visit, group: CauseGroup) -> Page:
    page = window.to("/admin/sync/causegroup/")
    page.locator(f'a[href="/admin/sync/causegroup/{group.pk}/change/"]').first.click()
    return page


def begin(page: Page, verb: str, reason: str) -> BulkOperation:
    """From a cause's page to the running operation, by the confirm page."""
    page.get_by_role("link", name=re.compile(f"^{verb} ")).first.click()
    page.get_by_label("Why, for the audit log").fill(reason)
    page.get_by_role("button", name=re.compile(f"^{verb} ")).click()
    expect(page.get_by_role("heading", name="How far it is")).to_be_visible()
    return BulkOperation.objects.latest("pk")


def is_narrower_than_its_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_signing_in_to_all_four_causes_resolved(
    visit: Callable[..., Visit], morning: Morning, size: dict[str, int]
) -> None:
    window = visit(viewport=size)
    page = sign_in(window, member(roles.LEAD))
    page.get_by_role("main").get_by_role("link", name=re.compile("cause")).first.click()
    assert page.locator("tbody tr").count() == 4
    assert is_narrower_than_its_window(page)

    # GoHighLevel was down, and is back: all of them, and they recover.
    outage = morning.cause(monday.OUTAGE)
    page = open_cause(window, outage)
    begin(page, "Redrive", "GoHighLevel is back since six")
    morning.passes(6)
    page.reload()
    expect(page.get_by_text(f"{outage.total} of {outage.total}").first).to_be_visible()
    assert BulkOperation.objects.latest("pk").recovered == outage.total
    expect(open_cause_anew(window, outage).locator(".standing")).to_contain_text("Resolved")

    # Numbers that GoHighLevel refuses: many at once stop by themselves after the first.
    phones = morning.cause(monday.BAD_PHONE)
    page = open_cause(window, phones)
    stopped = begin(page, "Redrive", "Perhaps it takes them now")
    morning.passes(2)
    page.reload()
    expect(page.get_by_text("It has stopped by itself")).to_be_visible()
    stopped.refresh_from_db()
    assert (stopped.state, stopped.failed_same_cause) == ("stopped", 1)
    page.get_by_label("Why it is canceled").fill("The numbers must be mended one by one")
    page.get_by_role("button", name="Cancel for good").click()
    stopped.refresh_from_db()
    assert (stopped.state, stopped.canceled) == ("canceled", phones.total - 1)

    mend_a_number(window, phones)
    morning.passes(2)
    assert DeadLetter.objects.get(group=phones, state="recovered").job is not None

    # One discarded by mistake, and taken back; then all that are left.
    gone = morning.cause(monday.GONE)
    discard_and_undo(window, gone)
    for group, reason in ((phones, "Asked the studio for the numbers"), (gone, "They have left the studio")):
        begin(open_cause(window, group), "Discard", reason)
        morning.passes(1)

    # Nobody can tell of the messages: canceled before it has begun, then decided.
    unknown = morning.cause(monday.UNKNOWN)
    page = open_cause(window, unknown)
    canceled = begin(page, "Redrive", "Send them again")
    page.get_by_label("Why it is canceled").fill("People may get them twice")
    page.get_by_role("button", name="Cancel for good").click()
    canceled.refresh_from_db()
    assert (canceled.state, canceled.canceled) == ("canceled", unknown.total)
    assert morning.ghl.ledger.doubles() == {}
    begin(open_cause(window, unknown), "Discard", "Monday is over")
    morning.passes(1)

    assert not CauseGroup.objects.exclude(state="resolved").exists()
    page = window.to("/admin/sync/causegroup/")
    assert page.locator("tbody tr").count() == 0
    assert is_narrower_than_its_window(page)
    assert window.complaints == []


def open_cause_anew(window: Visit, group: CauseGroup) -> Page:
    return window.to(f"/admin/sync/causegroup/{group.pk}/change/")


def mend_a_number(window: Visit, group: CauseGroup) -> None:
    letter = DeadLetter.objects.filter(group=group, state="open").earliest("pk")
    page = window.to(f"/admin/sync/deadletter/{letter.pk}/change/")
    assert "+120255" not in page.content()
    page.get_by_text("Correct its data and send a copy").click()
    page.get_by_label("Why it has to be corrected").fill("The studio has the right number")
    page.get_by_role("button", name="Open the form").click()
    page.get_by_label("Phone").fill("12")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator(".field.is-wrong")).to_have_count(1)
    page.get_by_label("Phone").fill("+12025550147")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("table.diff tbody tr")).to_have_count(1)
    page.get_by_label("Reason for the change").fill("A figure was missing")
    page.get_by_role("button", name="Send as a linked copy").click()
    letter.refresh_from_db()
    assert letter.state == "redriving"
    assert SyncJob.objects.get(pk=letter.job_id).replaces is not None


def discard_and_undo(window: Visit, group: CauseGroup) -> None:
    letter = DeadLetter.objects.filter(group=group, state="open").earliest("pk")
    page = window.to(f"/admin/sync/deadletter/{letter.pk}/change/")
    page.get_by_text("Discard it", exact=True).click()
    page.get_by_label("Why nothing needs to be sent any more").fill("A slip")
    page.get_by_role("button", name="Discard").click()
    letter.refresh_from_db()
    assert (letter.state, letter.discard_reason) == ("discarded", "A slip")
    page.get_by_role("button", name="Undo").click()
    letter.refresh_from_db()
    assert letter.state == "open"


def test_each_role_sees_its_own_verbs_and_no_more_and_an_operator_can_undo(
    visit: Callable[..., Visit], morning: Morning
) -> None:
    letter = DeadLetter.objects.filter(group=morning.cause(monday.OUTAGE)).earliest("pk")
    seen: dict[str, set[str]] = {}
    for role in roles.ROLES:
        window = visit(member(role))
        page = window.to(f"/admin/sync/deadletter/{letter.pk}/change/")
        seen[role.label] = forms(page)
        page = window.to(f"/admin/sync/causegroup/{letter.group_id}/change/")
        seen[role.label] |= forms(page) | {
            f"bulk:{text.split()[0]}" for text in page.locator(".verbs a").all_inner_texts()
        }
        if role is roles.OPERATOR:
            discard_and_undo(window, morning.cause(monday.GONE))
        assert window.complaints == []
    assert not any("/" in verb for verb in seen["viewer"])
    assert seen["viewer"] < seen["operator"] < seen["lead"] == seen["admin"]
    assert {"/redrive/", "/discard/"} <= {
        verb[verb.rindex("/", 0, -1) :] for verb in seen["operator"] if "/" in verb
    }
    assert {"bulk:Redrive", "bulk:Discard"} <= seen["lead"] - seen["operator"]


def forms(page: Page) -> set[str]:
    """Return where the page's own forms lead to that change something."""
    found = page.locator("main form[method=post]")
    return {str(found.nth(number).get_attribute("action")) for number in range(found.count())}
