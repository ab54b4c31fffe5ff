"""A dashboard with every kind of chart in a browser: by axe, by keyboard, on a phone, on paper, and alive."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import override_settings
from playwright.sync_api import Page, expect

from observability.dashboards.panels import Dashboard
from observability.dashboards.question import Question
from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_accessibility import LATER, TAGS, faint, serious, thin
from tests.observability import made_up_dashboard as made_up

PAGE = "/admin/dashboards/made_up/"


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    cache.clear()
    with made_up.registered():
        yield


def poll(page: Page) -> None:
    """Ask again now instead of after ten seconds."""
    page.evaluate("""() => {
      const part = document.querySelector('#sections');
      htmx.ajax('GET', part.getAttribute('hx-get'), {source: part, target: part, swap: 'innerHTML'});
    }""")


def width_of(page: Page, selector: str) -> float:
    return float(page.locator(selector).first.evaluate("one => one.getBoundingClientRect().width"))


@pytest.mark.parametrize("query", ["", "?zone=Mars"])
def test_it_is_usable_by_everybody_in_light_and_dark_and_on_a_phone(
    visit: Callable[..., Visit], admin: User, query: str
) -> None:
    window = visit(admin)
    window.page.emulate_media(reduced_motion="reduce")
    page = window.to(PAGE + query)
    # A page that says what was wrong is answered with 400, which the browser mentions.
    found = [one for one in window.complaints if "400" not in one]
    page.evaluate("document.querySelectorAll('details.chart-table').forEach(one => one.open = true)")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") == 0
    thin(page)
    # In each width by the rules, in each look by contrast: colours are the same in both widths.
    found += serious(page, runOnly={"type": "tag", "values": TAGS}, rules=LATER)
    page.set_viewport_size(DESKTOP)
    found += serious(page, runOnly={"type": "tag", "values": TAGS}, rules=LATER)
    found += faint(page, "dark")
    found += faint(page, "light")
    assert found == [], "\n".join(found)


def test_pictures_stay_readable_on_a_phone_and_scroll_in_their_card(
    visit: Callable[..., Visit], admin: User
) -> None:
    page = visit(admin, viewport=PHONE).to(PAGE)
    for picture in page.locator("svg.picture").all():
        assert picture.evaluate("one => one.getBoundingClientRect().width") >= 430
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('svg.picture text')].map(one =>"
        " parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a))"
    )
    assert smallest >= 9.5
    box = page.locator("#chart-active_people .chart-scroll")
    assert box.evaluate("one => one.scrollWidth > one.clientWidth")


def test_words_in_a_picture_do_not_cover_each_other(visit: Callable[..., Visit], admin: User) -> None:
    page = visit(admin).to(PAGE)
    covered = page.evaluate("""() => [...document.querySelectorAll('svg.picture')].flatMap((picture) => {
      const frame = picture.getBoundingClientRect();
      const texts = [...picture.querySelectorAll('text')].filter((one) => !one.closest('.tip'));
      const boxes = texts.map((one) => [one.textContent, one.getBoundingClientRect()]);
      return boxes.flatMap(([words, one], i) => [
        ...(one.left < frame.left - 1 || one.right > frame.right + 1 ? [`outside: ${words}`] : []),
        ...boxes.slice(i + 1).filter(([, other]) =>
          one.left < other.right && other.left < one.right &&
          one.top + 2 < other.bottom - 2 && other.top + 2 < one.bottom - 2,
        ).map(([other]) => `${words} / ${other}`),
      ]);
    })""")
    assert covered == []


def test_values_are_shown_at_the_pointer_and_by_the_arrow_keys(
    visit: Callable[..., Visit], admin: User
) -> None:
    page = visit(admin).to(f"{PAGE}?from=2026-11-01&to=2026-11-28")
    chart = page.locator("#chart-active_people")
    tips = chart.locator(".tip")
    shown = chart.locator(".tip:visible .box-title")
    expect(tips).to_have_count(28)
    expect(shown).to_have_count(0)
    chart.locator(".stripe").nth(16).hover()
    expect(shown).to_have_text("2026-11-17")
    page.mouse.move(0, 0)
    expect(shown).to_have_count(0)

    chart.locator(".chart-scroll").focus()
    for key, day in (
        ("ArrowLeft", "28"),
        ("ArrowLeft", "27"),
        ("Home", "01"),
        ("ArrowRight", "02"),
        ("End", "28"),
    ):
        page.keyboard.press(key)
        expect(shown).to_have_text(f"2026-11-{day}")
    page.keyboard.press("Escape")
    expect(shown).to_have_count(0)
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    expect(shown).to_have_count(0)


def test_every_part_is_reached_by_keyboard_and_tables_open(visit: Callable[..., Visit], admin: User) -> None:
    page = visit(admin).to(PAGE)
    chart = page.locator("#chart-activation_funnel")
    expect(chart.locator("table")).to_be_hidden()
    chart.locator("a.csv").focus()
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.tagName"))
        if reached[-1] == "SUMMARY":
            page.keyboard.press("Enter")
    assert reached == ["DIV", "SUMMARY", "DIV", "A"]
    expect(chart.get_by_role("table", name="From sign-up to insight")).to_be_visible()


def test_series_differ_by_more_than_their_colour(visit: Callable[..., Visit], admin: User) -> None:
    page = visit(admin).to(PAGE)
    dashes = page.evaluate(
        "[...document.querySelectorAll('#chart-active_people .picture .line')].map(one =>"
        " getComputedStyle(one).strokeDasharray)"
    )
    assert len(set(dashes)) == 3
    hatches = page.evaluate(
        "[...document.querySelectorAll('#chart-sync_outcomes .picture .hatch')].map(one =>"
        " getComputedStyle(one).fill)"
    )
    assert len(set(hatches)) == 3


def test_on_paper_there_are_numbers_and_no_tools(visit: Callable[..., Visit], admin: User) -> None:
    page = visit(admin, color_scheme="dark").to(PAGE)
    page.locator("#chart-active_people summary").click()
    page.set_viewport_size({"width": 794, "height": 1123})
    page.emulate_media(media="print")
    for gone in (".sidebar", "form.asked", ".choices", "#header", "a.csv", "#chart-sync_outcomes details"):
        assert page.locator(gone).all(), gone
        for one in page.locator(gone).all():
            expect(one).to_be_hidden()
    # A table that was opened is printed, the whole of it.
    table = page.locator("#chart-active_people .chart-rows")
    expect(table).to_be_visible()
    assert table.evaluate("one => one.scrollHeight === one.clientHeight")
    broken = page.locator(".figure-card").first.evaluate("one => getComputedStyle(one).breakInside")
    assert broken == "avoid"
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    assert width_of(page, "svg.picture") < 794


def test_what_is_live_asks_again_and_keeps_what_is_open(visit: Callable[..., Visit], admin: User) -> None:
    asked = []

    def build(question: Question, *, now: Any) -> Dashboard:
        asked.append(question.trainer)
        return made_up.dashboard(question, now=now)

    with made_up.registered(build=build, is_live=True):
        window = visit(admin)
        page = window.to(f"{PAGE}?trainer=t-1")
        page.locator("#chart-active_people summary").press("Enter")
        page.locator("#chart-active_people .chart-rows").evaluate("one => { one.scrollTop = 120; }")
        before = page.locator(".counted time").first.get_attribute("datetime")
        page.wait_for_timeout(1_100)
        cache.clear()
        poll(page)
        expect(page.locator(".counted time").first).not_to_have_attribute("datetime", str(before))
        expect(page.locator("#chart-active_people .chart-rows")).to_be_visible()
        assert page.locator("#chart-active_people .chart-rows").evaluate("one => one.scrollTop") == 120
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        assert asked == ["t-1", "t-1"]
        assert window.complaints == []


def test_what_cannot_be_asked_again_says_so_until_it_can(visit: Callable[..., Visit], admin: User) -> None:
    with made_up.registered(is_live=True):
        page = visit(admin).to(PAGE)
        with override_settings(ALLOWED_HOSTS=["elsewhere.test"]):
            poll(page)
            expect(page.locator("#sections.is-stale")).to_be_visible()
        poll(page)
        expect(page.locator("#sections.is-stale")).to_have_count(0)


def test_who_has_signed_out_meanwhile_gets_the_login_page_not_a_part_of_it(
    visit: Callable[..., Visit], admin: User
) -> None:
    with made_up.registered(is_live=True):
        page = visit(admin).to(PAGE)
        Session.objects.all().delete()
        poll(page)
        page.wait_for_url("**/admin/login/**")
        expect(page.locator("h1")).to_have_count(1)
