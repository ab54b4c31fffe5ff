"""Every page of the admin by axe-core, in light and dark: nothing serious, nothing that the policy refuses.

The rule: pages are found in the URLconf, so that a new one is looked at without a line here; records are
those of a Monday morning.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.contrib import admin as django_admin
from django.contrib.auth.models import User
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse
from django.utils import timezone
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page
from pytest_django import Settings

from observability.alerts import silences
from sync.dead_letters import bulk
from sync.dead_letters.chosen import Chosen
from sync.models import CauseGroup, Draft
from tests import make
from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.morning import Morning
from tests.observability.alerts.standing import channel, fire, measured
from trainu.demo.ghl import Simulator

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LATER = {"color-contrast": {"enabled": False}}
_RUN = """([without, options]) => axe.run({include: document, exclude: without}, options)
  .then(({violations}) => violations.filter(({impact}) => impact === "serious" || impact === "critical")
  .map(({id, nodes}) => [id, nodes[0].html]))"""
# Of rows, options and the like that are built alike, axe would say the same of each: one at an odd place, one
# at an even one and the last stay. The frame around a page is judged where it is first built so.
_THIN = """() => {
  const valued = new Set(['class', 'type', 'role', 'scope', 'aria-current', 'aria-hidden', 'hidden', 'open']);
  const named = ({name, value}) => `${name}=${valued.has(name) ? value : value !== ''}`;
  const says = (one) => [...one.childNodes].some((part) => part.nodeType === 3 && part.data.trim());
  const build = (one) => `${one.tagName}[${[...one.attributes].map(named).sort()}]${says(one)}`
    + `(${[...one.children].map(build)})`;
  for (const many of document.querySelectorAll('tbody, ul, ol, select, svg, svg g')) {
    const seen = new Set();
    [...many.children].forEach((one, place, all) => {
      const kind = build(one) + place % 2;
      if (seen.has(kind) && place < all.length - 1) one.remove();
      seen.add(kind);
    });
  }
  return ['header', 'nav.sidebar'].filter((part) => {
    const frame = document.querySelector(part);
    if (!frame) return false;
    const kind = part + build(frame), known = sessionStorage.getItem(kind);
    sessionStorage.setItem(kind, 'judged');
    return known;
  });
}"""
# Contrast follows from colours, sizes and what lies behind: text that has all of them in common with two
# texts judged before, on whatever page, is not judged again. What is laid over others is known by its class.
_CONTRAST = """async (looks) => {
  const known = JSON.parse(sessionStorage.getItem(looks) ?? '{}'), behind = new Map();
  const back = (one) => {
    if (!one) return '';
    if (!behind.has(one)) {
      const style = getComputedStyle(one), said = [];
      if (style.backgroundColor !== 'rgba(0, 0, 0, 0)') said.push(style.backgroundColor);
      for (const name of ['backgroundImage', 'filter', 'textShadow'])
        if (style[name] !== 'none') said.push(style[name]);
      if (style.opacity !== '1') said.push(style.opacity);
      if (style.position !== 'static') said.push(style.position, one.getAttribute('class'));
      behind.set(one, `${back(one.parentElement)} ${said}`.trim());
    }
    return behind.get(one);
  };
  const include = [];
  for (const one of document.querySelectorAll('body, body *')) {
    const control = one.matches('input, select, textarea, option, button') && one.tagName;
    if (!control && ![...one.childNodes].some((part) => part.nodeType === 3 && part.data.trim())) continue;
    if (!one.checkVisibility({visibilityProperty: true})) continue;
    const {color, fill, fontSize, fontWeight} = getComputedStyle(one);
    const off = one.closest('[aria-disabled=true], :disabled') || one.closest('label')?.control?.disabled;
    const kind = [control, one.type, color, fill, fontSize, fontWeight, Boolean(off), back(one)].join();
    known[kind] = (known[kind] ?? 0) + 1;
    if (known[kind] <= 2) include.push(one);
  }
  sessionStorage.setItem(looks, JSON.stringify(known));
  if (!include.length) return [];
  const {violations} = await axe.run({include}, {resultTypes: ['violations'], runOnly: ['color-contrast']});
  return violations.map(({id, nodes}) => [id, nodes[0].html]);
}"""
# It ends the session of whoever looks.
NO_PAGES = {"logout"}


@pytest.fixture
def morning(transactional_db: None, settings: Settings) -> Iterator[Morning]:
    with Simulator(seed=1, limits=False) as simulator:
        settings.GHL_BASE_URL = simulator.url
        begun = Morning(simulator, parts=60)
        yield begun
        begun.ends()


def paths() -> list[str]:
    """Return all addresses that a GET may ask for, and that of a record of each kind."""
    found = {reverse(f"admin:{name}") for name in names() if name not in NO_PAGES and no_arguments(name)}
    for model in django_admin.site._registry:
        record = model._default_manager.first()
        if record is not None:
            meta = model._meta
            found.add(reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[record.pk]))
    found |= {reverse("admin:sync_draft", args=[draft.pk]) for draft in Draft.objects.all()}
    # Of one template all.
    found.add(reverse("admin:runbook", args=["error_rate"]))
    return sorted(found)


def is_page(window: Visit, path: str) -> bool:
    """Go there; tell whether a whole page is shown, and not a file, a part of a page, or another one."""
    window.complaints.clear()
    try:
        answer = window.page.goto(window.address + path)
    except PlaywrightError as error:
        assert "Download is starting" in error.message, path
        return False
    assert answer is not None
    assert answer.status < 500, path
    is_other = answer.request.redirected_from is not None
    return answer.status == 200 and not is_other and window.page.locator("main").count() > 0


def names() -> Iterator[str]:
    for resolver in get_resolver().url_patterns:
        if getattr(resolver, "namespace", None) == "admin":
            for pattern in resolver.url_patterns:  # type: ignore[union-attr]
                yield from named(pattern)


def named(pattern: object) -> Iterator[str]:
    if isinstance(pattern, URLPattern):
        if pattern.name:
            yield pattern.name
    else:
        for below in pattern.url_patterns:  # type: ignore[attr-defined]
            yield from named(below)


def no_arguments(name: str) -> bool:
    try:
        reverse(f"admin:{name}")
    except NoReverseMatch:
        return False
    return True


def thin(page: Page) -> list[str]:
    """Take what repeats out of a page; return the parts of its frame that were judged on a page before."""
    return page.evaluate(_THIN)


def serious(page: Page, without: Sequence[str] = (), **only: Any) -> list[str]:
    """Return what axe finds that keeps somebody from using the page. without: parts not to be looked at."""
    load_axe(page)
    found = page.evaluate(_RUN, [list(without), {"resultTypes": ["violations"], **only}])
    return [f"{page.url}: {name}: {html[:200]}" for name, html in found]


def load_axe(page: Page) -> None:
    # Once a page, however often it is looked at: it is half a megabyte of script.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)


def faint(page: Page, looks: str) -> list[str]:
    """Return what axe finds hard to read in these colours, of what looks like nothing judged before."""
    load_axe(page)
    page.emulate_media(color_scheme=looks)
    return [f"{page.url}, {looks}: {name}: {html[:200]}" for name, html in page.evaluate(_CONTRAST, looks)]


def begin_an_operation(morning: Morning) -> None:
    group = CauseGroup.objects.latest("total")
    bulk.start(
        "redrive",
        Chosen(group_id=group.pk),
        by="staff:1",
        reason="It is over",
        shown_count=group.open,
        now=morning.place.clock.now,
    )


def have_an_incident() -> None:
    """Something of each kind that alerts have: their pages are looked at by their first records."""
    incident = fire("sev1_fault")
    now = timezone.now()
    measured("sev1_fault", [0.0] * 60 + [2.0] * 20, until=now)
    channel("slack", secret=b"x")
    silences.begin(
        incident.rule, "loc-1", reason="Planned", ends_at=now + timedelta(hours=1), by="staff:1", now=now
    )


def have_drafts() -> list[str]:
    """A draft for each shape that its page has; return the addresses of lists that show others."""
    at = timezone.now()
    make.draft("failed")
    stale = make.draft(now=at - timedelta(hours=2), client_acted_at=at, client_act="wrote", channel="email")
    make.draft("scheduled", edited=True, written_text="Hello")
    make.draft("writing")
    make.draft(snoozed_until=at + timedelta(hours=1))
    inbox, chosen = reverse("admin:sync_inbox"), f"{reverse('admin:sync_inbox_confirm')}?id={stale.pk}"
    return [f"{inbox}?tab=scheduled&kind=nope", f"{inbox}?tab=snoozed", chosen]


def test_every_page_is_usable_by_everybody_in_light_and_dark_and_on_a_phone(
    visit: Callable[..., Visit], admin: User, morning: Morning
) -> None:
    begin_an_operation(morning)
    have_an_incident()
    lists = have_drafts()
    window = visit(admin)
    # Colours that are still turning are no colours to judge.
    window.page.emulate_media(reduced_motion="reduce")
    found: list[str] = []
    tried = f"{reverse('admin:observability_alertrule_change', args=['sev1_fault'])}?try"
    looked_at = []
    for path in [*paths(), tried, *lists]:
        page = window.page
        page.set_viewport_size(PHONE)
        if not is_page(window, path):
            continue
        looked_at.append(path)
        # What the page itself has done; axe tries colours out by styles that the policy refuses.
        found += window.complaints
        for part in ("main", "h1"):
            if (count := page.locator(part).count()) != 1:
                found.append(f"{path}: {count} times {part}")
        if page.evaluate("document.documentElement.scrollWidth - window.innerWidth") > 0:
            found.append(f"{path}: wider than a phone")
        # Before it grows: what is not there need not be laid out.
        known = thin(page)
        page.set_viewport_size(DESKTOP)
        found += serious(page, known, runOnly={"type": "tag", "values": TAGS}, rules=LATER)
        found += faint(page, "dark")
        found += faint(page, "light")
    assert found == [], "\n".join(found)
    assert len(looked_at) > 80
