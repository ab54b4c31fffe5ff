"""`uv run python -m tests.browser.pictures ADDRESS PASSWORD` takes the README's pictures of a running demo.

The rule: what is shown is the service as it is; nothing is arranged but what anybody could click.
"""

import argparse
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.windows import FLAGS, PHONE

FOLDER = Path(__file__).parent / "pictures"
WINDOW = {"width": 1280, "height": 800}
# By name: address, size of the window, colours.
PLACES: dict[str, tuple[str, dict[str, int], str]] = {
    "home": ("/admin/", WINDOW, "light"),
    "causes": ("/admin/sync/causegroup/", WINDOW, "light"),
    "letter": ("/admin/sync/deadletter/?status=422", WINDOW, "dark"),
    "flight": ("/admin/sync/flight/", WINDOW, "light"),
    "causes_phone": ("/admin/sync/causegroup/", PHONE, "light"),
    "bulk": ("/admin/sync/causegroup/?state=all", WINDOW, "light"),
    "engagement": ("/admin/dashboards/engagement/?range=90d", WINDOW, "light"),
}


def take(address: str, password: str, login: str) -> Iterator[str]:
    """Take every picture; yield the name of each."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, (path, size, colours) in PLACES.items():
            page = _signed_in(browser, address, login, password, size, colours)
            page.goto(address + path)
            if name == "letter":
                page.locator("#rows a[href*='/deadletter/']").first.click()
            if name == "bulk":
                _redrive_the_outage(page)
            page.wait_for_load_state("load")
            page.screenshot(path=FOLDER / f"{name}.png")
            yield name
        browser.close()


def _redrive_the_outage(page: Page) -> None:
    """Begin what the demo's first cause asks for, and wait until it has come some way."""
    page.locator("tr", has_text="contact.add_tags").first.locator("th a").first.click()
    page.get_by_role("link", name=re.compile("^Redrive ")).first.click()
    page.get_by_label("Why, for the audit log").fill("GoHighLevel is back since six")
    page.get_by_role("button", name=re.compile("^Redrive ")).click()
    page.wait_for_timeout(30_000)
    page.reload()


def _signed_in(
    browser: Browser, address: str, login: str, password: str, size: dict[str, int], colours: str
) -> Page:
    page = browser.new_page(viewport=size, color_scheme=colours)  # type: ignore[arg-type]
    page.goto(f"{address}/admin/login/")
    page.get_by_label("Username").fill(login)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests.browser.pictures", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("password")
    parser.add_argument("--login", default="staff")
    given = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for taken in take(given.address, given.password, given.login):
        print(FOLDER / f"{taken}.png")  # noqa: T201
