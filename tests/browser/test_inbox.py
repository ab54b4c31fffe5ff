"""A trainer's morning on a phone: from signing in to an inbox in which everything is decided.

The rule: the trainer does everything in the browser; what they are told is read off the pages.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page, expect

from observability import partitions
from sync.drafts.llm import errors
from sync.models import Draft, TrainerLogin
from tests import make
from tests.browser.conftest import PHONE, Visit
from trainu import roles

PASSWORD = "correct horse"
BIG = 44  # pixels, for a thumb
_COVERED = """() => {
  const bar = document.querySelector(".inbox-bar");
  window.scrollTo(0, document.body.scrollHeight);
  return bar.previousElementSibling.getBoundingClientRect().bottom - bar.getBoundingClientRect().top;
}"""

# A checkbox is as large as its label.
_HEIGHT = "one => (one.closest('label') ?? one).getBoundingClientRect().height"


@pytest.fixture
def trainer(transactional_db: None) -> User:
    for table in partitions.ALL:
        table.ensure_ahead(timezone.now())
    roles.load()
    user = User.objects.create_user("sam", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=roles.TRAINER.name))
    TrainerLogin.objects.create(user=user, trainer_id="t-1")
    return user


@pytest.fixture
def drafts(trainer: User) -> dict[str, Draft]:
    """What came over night, by the client's name; the first is the most urgent."""
    began = timezone.now() - timedelta(hours=9)
    found = {}
    for number, name in enumerate(("Jonas", "Ana", "Ben", "Cleo", "Dora", "Emil")):
        client = {"client_id": f"c-{name}", "contact_id": f"k-{name}"}
        context = {"client": {"first_name": name, "time_zone": "Europe/Berlin"}}
        text = f"How was your week, {name}?"
        found[name] = make.draft(
            now=began, impact=80 - number, context=context, text=text, written_text=text, **client
        )
    found["Mira"] = make.draft("failed", now=began, impact=10, client_id="c-Mira", contact_id="k-Mira")
    found["Fay"] = make.draft("sent", now=began, client_id="c-Fay", context={"client": {"first_name": "Fay"}})
    make.draft(trainer_id="t-2", client_id="c-9", context={"client": {"first_name": "Notmine"}})
    return found


def open_draft(page: Page, name: str) -> None:
    page.get_by_role("link", name=f"{name}:").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"for {name}")
    assert fits(page)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def small(page: Page) -> list[str]:
    """Return which buttons a thumb would miss."""
    found = page.get_by_role("main").locator("button:visible, input[type=checkbox]").all()
    boxes = [(one.evaluate(_HEIGHT), one) for one in found]
    return [str(one.inner_text()) for height, one in boxes if height < BIG]


def state(draft: Draft) -> str:
    draft.refresh_from_db()
    return draft.state


def test_a_trainers_morning_on_a_phone(
    visit: Callable[..., Visit], trainer: User, drafts: dict[str, Draft]
) -> None:
    window = visit(viewport=PHONE)
    page = window.to("/admin/")
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("AI Inbox")
    expect(page.get_by_text("Notmine")).to_have_count(0)
    assert fits(page)
    assert small(page) == []

    # What has failed is on top, says why, and is tried again.
    expect(page.locator(".draft h2").first).to_have_text("Mira: Weekly check-in")
    open_draft(page, "Mira")
    expect(page.get_by_text(errors.words("timeout"))).to_be_visible()
    assert small(page) == []
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("It is being tried again.")).to_be_visible()
    expect(page.get_by_text("1 is being written.")).to_be_visible()

    # One is fine as it is: by keyboard alone.
    page.get_by_role("link", name="Jonas:").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message")).to_have_value("How was your week, Jonas?")
    assert page.evaluate(_COVERED) <= 0
    page.get_by_label("Message").focus()
    page.get_by_role("button", name="Approve and send").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Approved.")).to_be_visible()

    # One wants other words; what cannot be sent is said, and nothing typed is lost.
    open_draft(page, "Ana")
    page.get_by_label("Message").fill("How was it, {{ name }}?")
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_role("alert")).to_contain_text("A placeholder in {{ }} is still in the text")
    expect(page.get_by_label("Message")).to_have_value("How was it, {{ name }}?")
    # Nor where the page is left, for it stays in this tab until the draft is decided.
    page.goto(page.url.removesuffix("approve/"))
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_label("Message")).to_have_value("How was it, {{ name }}?")
    page.get_by_label("Message").fill("How was it, Ana?")
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_text("Approved.")).to_be_visible()
    assert "draft" not in page.evaluate(
        "Object.keys(sessionStorage).concat(Object.keys(localStorage)).join()"
    )

    open_draft(page, "Ben")
    page.get_by_role("link", name="Otherwise").click()
    page.get_by_role("button", name="Snooze for 4 hours").click()
    expect(page.get_by_text("Snoozed for 4 hours.")).to_be_visible()
    open_draft(page, "Cleo")
    page.get_by_label("Why not").fill("She has called")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("Dismissed. It is not sent.")).to_be_visible()

    # The last two at once, each of them read.
    for name in ("Dora", "Emil"):
        page.get_by_label(f"Tick Weekly check-in for {name}").check()
    page.get_by_role("button", name="Approve those that are ticked").click()
    expect(page.get_by_text("How was your week, Emil?")).to_be_visible()
    assert fits(page)
    page.get_by_role("button", name="Approve and send the ticked").click()
    expect(page.get_by_role("status")).to_have_text("2 approved.")
    page.get_by_role("link", name="Back to the inbox").click()
    expect(page.get_by_text("Nothing to review")).to_be_visible()

    page.get_by_role("link", name="Scheduled 4").click()
    assert page.locator(".draft").count() == 4
    page.get_by_role("link", name="Sent 1").click()
    expect(page.get_by_role("link", name="Fay:")).to_be_visible()
    assert {name: state(draft) for name, draft in drafts.items()} == {
        "Mira": "waiting",
        "Jonas": "scheduled",
        "Ana": "scheduled",
        "Ben": "review",
        "Cleo": "dismissed",
        "Dora": "scheduled",
        "Emil": "scheduled",
        "Fay": "sent",
    }
    assert (drafts["Jonas"].edited, drafts["Ana"].edited) == (False, True)
    assert window.complaints == []
