"""`uv run python -m tests.browser.pictures ADDRESS PASSWORD` takes the README's pictures of a running demo.

The rule: what is shown is the service as it is; nothing is arranged but what anybody could click.
"""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import FLAGS, PHONE

FOLDER = Path(__file__).parent / "pictures"
WINDOW = {"width": 1280, "height": 800}
# By name: address, size of the window, colours.
PLACES: dict[str, tuple[str, dict[str, int], str]] = {
    "home": ("/admin/", WINDOW, "light"),
    "causes": ("/admin/sync/causegroup/", WINDOW, "light"),
    "letters": ("/admin/sync/deadletter/", WINDOW, "dark"),
    "flight": ("/admin/sync/flight/", WINDOW, "light"),
    "causes_phone": ("/admin/sync/causegroup/", PHONE, "light"),
}


def take(address: str, password: str, login: str) -> Iterator[str]:
    """Take every picture; yield the name of each."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, (path, size, colours) in PLACES.items():
            page = _signed_in(browser, address, login, password, size, colours)
            page.goto(address + path)
            if name == "letters":
                page.locator("main a[href*='/change/']").first.click()
            page.wait_for_load_state("networkidle")
            page.screenshot(path=FOLDER / f"{name}.png")
            yield name
        browser.close()


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
