"""The list of dead letters in a browser: by keyboard alone, within the policy, and on a phone."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from playwright.sync_api import Page, expect

from observability import partitions
from sync.dead_letters.admin.addresses import address
from sync.models import DeadLetter
from tests.browser.conftest import PHONE, Visit
from tests.sync.dying import NOW, dead_letters, location

LIST = "/admin/sync/deadletter/"


@pytest.fixture
def ids(admin: User) -> list[int]:
    """Letters, newest first; the test before may have emptied every table."""
    for table in partitions.ALL:
        table.ensure_ahead(NOW)
    location()
    with transaction.atomic():
        return dead_letters(4, words="a-name-without-any-space-in-it-" * 6)[::-1]


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.closest('tr')?.dataset.letter"))


def test_letters_are_worked_by_keyboard_which_can_be_switched_off(
    visit: Callable[..., Visit], admin: User, ids: list[int]
) -> None:
    window = visit(admin)
    page = window.to(LIST)
    keys = page.keyboard
    for key, index in (("j", 0), ("j", 1), ("k", 0), ("k", 0), ("j", 1)):
        keys.press(key)
        assert focused(page) == str(ids[index])
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    keys.press("x")
    expect(page.get_by_label(f"Tick letter {ids[1]}")).to_be_checked()
    expect(page.locator("#chosen-count")).to_have_text("1")

    keys.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    keys.press("j")
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert focused(page) == str(ids[1])

    page.get_by_label("Reason to discard them").fill("")
    keys.type("jxr?")
    assert page.get_by_label("Reason to discard them").input_value() == "jxr?"
    keys.press("Enter")
    expect(page.get_by_text("1 letter is discarded")).to_be_visible()
    assert DeadLetter.objects.get(state="discarded").pk == ids[1]

    page.get_by_role("button", name="Keyboard shortcuts: on").click()
    page.reload()
    expect(page.get_by_role("button", name="Keyboard shortcuts: off")).to_be_visible()
    keys.press("j")
    assert focused(page) == "None"
    page.get_by_role("button", name="Keyboard shortcuts: off").click()
    keys.press("j")
    keys.press("j")
    if address("sync_deadletter_redrive", 1):
        keys.press("r")
        expect(page.locator(f'tr[data-letter="{ids[2]}"]')).to_have_count(0)
        assert DeadLetter.objects.get(state="redriving").pk == ids[2]
        # It goes on where it was: the next letter has moved up.
        assert focused(page) == str(ids[3])
    keys.press("o")
    page.wait_for_url(f"**{LIST}*/change/")
    assert window.complaints == []


def test_the_list_fits_a_phone_with_every_button_in_sight(
    visit: Callable[..., Visit], admin: User, ids: list[int]
) -> None:
    window = visit(admin, viewport=PHONE, color_scheme="dark")
    for query in ("", "?status=9&payload=city%3DUlm", "?code=status_422&before=1d"):
        page = window.to(LIST + query)
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, query
        assert page.locator("h1").count() == 1
    row = page.locator("tr[data-letter]").first
    assert row.evaluate("row => row.scrollWidth - row.clientWidth") <= 0
    assert window.complaints == []
