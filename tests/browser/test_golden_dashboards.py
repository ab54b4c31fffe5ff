"""The four dashboards over the same weeks of history, in light, dark and on a phone: every word as it was.

`uv run python -m pytest tests/browser/test_golden_dashboards.py --golden` writes the words anew: read the
difference before you commit it.
"""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from observability import capture
from observability.store import Origin
from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_accessibility import LATER, TAGS, faint, serious, thin
from tests.observability.test_rollups import roll_all
from trainu.demo import history

FOLDER = Path(__file__).parent / "golden"
# Weeks that are long over: nothing about them changes any more.
FIRST, LAST = date(2026, 9, 14), date(2026, 9, 27)
NAMES = ("activation", "engagement", "show_rate", "sync_health")
# How sync stands now is as it is now.
_TODAYS = {"Now", "Locations now", "Integrations and workers now", "Dead letters"}
_WORDS = """(skipped) => {
  document.querySelectorAll('details.chart-table').forEach((one) => one.open = true);
  const parts = [...document.querySelectorAll('.period, .dashboard-section')];
  return parts.filter((one) => !skipped.includes(one.querySelector('h2')?.textContent.trim()))
    .map((one) => one.textContent.replace(/\\s+/g, ' ').trim()).join('\\n') + '\\n';
}"""


@pytest.fixture
def weeks(transactional_db: None) -> None:
    """The demo's history of these weeks and some before, rolled up."""
    day = FIRST - timedelta(days=14)
    while day <= LAST + timedelta(days=8):
        capture.persist(history.day(day), Origin("demo", ""))
        day += timedelta(days=1)
    roll_all()


@pytest.mark.usefixtures("weeks")
def test_the_dashboards_say_what_they_said(
    visit: Callable[..., Visit], admin: User, request: pytest.FixtureRequest
) -> None:
    changed, found = [], []
    window = visit(admin)
    # Colours that are still turning are no colours to judge.
    window.page.emulate_media(reduced_motion="reduce")
    for name in NAMES:
        page = window.to(f"/admin/dashboards/{name}/?from={FIRST}&to={LAST}&zone=Europe/Berlin")
        golden = FOLDER / f"{name}.txt"
        if request.config.getoption("--golden"):
            golden.write_text(page.evaluate(_WORDS, list(_TODAYS)), encoding="utf-8")
        for size, looks in ((DESKTOP, "light"), (PHONE, "dark"), (PHONE, "light"), (DESKTOP, "dark")):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=looks)
            words = page.evaluate(_WORDS, list(_TODAYS))
            if words != golden.read_text(encoding="utf-8"):
                changed.append(f"{name}, {looks}, {size['width']} px:\n{words}")
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            found += [f"{name}: {wide} px too wide at {size['width']}"] if wide > 0 else []
        found += window.complaints
        known = thin(page)
        found += faint(page, "dark")
        found += faint(page, "light")
        # By the rules in light: nothing but contrast changes with colours.
        found += serious(page, known, runOnly={"type": "tag", "values": TAGS}, rules=LATER)
        window.complaints.clear()
    assert found == [], "\n".join(found)
    assert changed == [], "\n\n".join(changed)
