"""The frame of the admin, seen by a browser. Pages of the apps have their own tests; this is their room."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.cache import cache
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Visit
from trainu.admin_site import Card, site

NOT_FOUND_IS_NO_COMPLAINT = "the server responded with a status of 404"


def menu_entries(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("#navigation a").all_inner_texts()]


def overflow(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_every_page_keeps_to_the_policy_and_has_one_main_and_one_first_heading(
    visit: Callable[..., Visit], admin: User
) -> None:
    """Those that test_accessibility does not find, and what Django's widgets do when they are used."""
    Group.objects.create(name="Support")
    window = visit(admin)
    for path in (
        "/admin/auth/",
        "/admin/auth/user/?is_staff__exact=1&q=a",
        f"/admin/auth/user/{admin.pk}/history/",
        f"/admin/auth/user/{admin.pk}/delete/",
        f"/admin/auth/user/{admin.pk}/password/",
        "/admin/nowhere/",
    ):
        page = window.to(path)
        assert (page.locator("main").count(), page.locator("h1").count()) == (1, 1), path

    page = window.to(f"/admin/auth/user/{admin.pk}/change/")
    page.locator(".date-icon").first.click()
    page.locator(".calendarbox:visible .calendar a").first.click()
    page.locator(".clock-icon").first.click()
    page.locator(".clockbox:visible a").first.click()
    page.locator("#id_user_permissions_from option").first.dblclick()
    expect(page.locator("#id_user_permissions_to option")).to_have_count(1)

    assert [told for told in window.complaints if NOT_FOUND_IS_NO_COMPLAINT not in told] == []


def test_the_policy_is_sent_and_an_inline_script_does_not_run(
    visit: Callable[..., Visit], admin: User
) -> None:
    window = visit(admin)
    answer = window.page.goto(f"{window.address}/admin/")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]

    window.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.planted = true";
          document.body.append(script);
        }"""
    )

    assert window.page.evaluate("window.planted") is None
    assert any("CSP refused script-src" in told for told in window.complaints)


def test_signing_in_by_keyboard_leads_home(visit: Callable[..., Visit], admin: User) -> None:
    window = visit()
    page = window.to("/admin/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")

    page.get_by_label("Password").fill("correct horse")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    assert window.complaints == []


def test_a_slash_leads_to_the_search_box_but_not_from_a_field(
    visit: Callable[..., Visit], admin: User
) -> None:
    window = visit(admin)
    page = window.to("/admin/auth/user/")
    field = page.get_by_label("Find any id", exact=True).and_(page.locator("input"))
    page.locator("#searchbar").press("/")
    expect(page.locator("#searchbar")).to_have_value("/")
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.type("a/b")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing was found for “a/b”")).to_be_visible()
    assert window.complaints == []


def test_the_search_box_of_a_phone_opens_by_its_button(visit: Callable[..., Visit], admin: User) -> None:
    window = visit(admin, viewport=PHONE)
    page = window.to("/admin/")
    field = page.locator("#finder-id")
    expect(field).to_be_hidden()
    page.get_by_role("button", name="Search for an id").click()
    expect(field).to_be_focused()
    assert overflow(page) <= 0
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    page.keyboard.press("/")
    expect(field).to_be_focused()
    assert window.complaints == []


def test_the_menu_of_a_phone_opens_by_keyboard_and_closes_with_escape(
    visit: Callable[..., Visit], admin: User
) -> None:
    page = visit(admin, viewport=PHONE).to("/admin/auth/user/")
    button = page.get_by_role("button", name="Menu", exact=True)
    menu = page.locator("#navigation")
    expect(menu).to_be_hidden()
    assert button.get_attribute("aria-expanded") == "false"

    button.focus()
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#navigation').contains(document.activeElement)")

    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()


def test_nothing_is_wider_than_a_phone(visit: Callable[..., Visit], admin: User) -> None:
    group = Group.objects.create(
        name="a-name-without-any-space-in-it-that-goes-on-and-on-and-on-for-ever-and-ever"
    )
    User.objects.create(username="x" * 150, email=f"{'y' * 60}@example.test")
    outside = visit(viewport=PHONE).to("/admin/login/")
    assert overflow(outside) <= 0
    window = visit(admin, viewport=PHONE)
    for path in (
        "/admin/",
        "/admin/auth/user/",
        f"/admin/auth/user/{admin.pk}/change/",
        f"/admin/auth/group/{group.pk}/delete/",
        "/admin/password_change/",
        "/admin/nowhere/",
    ):
        assert overflow(window.to(path)) <= 0, path


def test_a_filter_opens_narrows_and_closes_by_keyboard(visit: Callable[..., Visit], admin: User) -> None:
    page = visit(admin).to("/admin/auth/user/")
    chip = page.locator("summary", has_text="Active")
    choice = page.get_by_role("link", name="No", exact=True)
    chip.focus()
    page.keyboard.press("Enter")
    expect(choice).to_be_visible()

    page.keyboard.press("Escape")
    expect(choice).to_be_hidden()
    expect(chip).to_be_focused()

    page.keyboard.press("Enter")
    choice.press("Enter")
    expect(page.locator("summary.is-active")).to_have_text("Active: No")
    expect(page.get_by_role("heading", name="No users match")).to_be_visible()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_the_reader_chooses(
    visit: Callable[..., Visit], admin: User, color_scheme: str
) -> None:
    page = visit(admin, color_scheme=color_scheme).to("/admin/")
    of_the_system = background(page)
    assert of_the_system == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 20, 25)"}[color_scheme]

    page.locator(".theme-toggle").click()
    chosen = background(page)
    assert chosen != of_the_system
    page.reload()
    assert background(page) == chosen


def test_apps_put_cards_on_the_overview_and_counts_in_the_menu(
    visit: Callable[..., Visit], group_keeper: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    # The site itself, for monkeypatch restores nothing through Django's LazyObject.
    monkeypatch.setattr(site._wrapped, "_overview", [])
    monkeypatch.setattr(site._wrapped, "_badges", {})
    forwarding = Card("Forwarding", "Paused", detail="<b>401</b>", url="/admin/auth/group/", tone="bad")
    site.register_overview(lambda request: [forwarding])
    site.register_overview(lambda request: [Card("Users", 2)], permission="auth.view_user")
    site.register_badge("admin:auth_group_changelist", lambda: 3)

    window = visit(group_keeper)
    page = window.to("/admin/overview/")

    expect(page.locator(".card-value")).to_have_text(["Paused"])
    expect(page.locator(".card-detail")).to_have_text("<b>401</b>")
    expect(page.locator("#navigation .badge")).to_contain_text("3")
    page.get_by_role("link", name="Forwarding").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Groups")
    assert window.complaints == []


def test_the_menu_shows_only_what_the_reader_may_open(visit: Callable[..., Visit], newcomer: User) -> None:
    page = visit(newcomer).to("/admin/")
    assert menu_entries(page) == ["Home", "Overview", "API documentation"]
    expect(page.get_by_role("heading", name="Nothing to see with this account")).to_be_visible()

    newcomer.user_permissions.add(Permission.objects.get(codename="change_group"))
    page.reload()
    assert menu_entries(page) == ["Home", "Overview", "Groups", "API documentation"]


def test_the_current_page_and_what_is_below_it_is_marked(visit: Callable[..., Visit], admin: User) -> None:
    window = visit(admin)
    for path, label in (
        ("/admin/", "Home"),
        ("/admin/overview/", "Overview"),
        ("/admin/auth/user/", "Users"),
        (f"/admin/auth/user/{admin.pk}/change/", "Users"),
    ):
        expect(window.to(path).locator("#navigation [aria-current=page]")).to_have_text(label)
    expect(window.to("/admin/password_change/").locator("#navigation [aria-current]")).to_have_count(0)


def test_an_address_that_does_not_exist_gives_the_correlation_id(
    visit: Callable[..., Visit], admin: User
) -> None:
    window = visit(admin)
    answer = window.page.goto(f"{window.address}/admin/nowhere/")
    assert answer.status == 404
    expect(window.page.locator("main code")).to_have_text(answer.headers["x-correlation-id"])
