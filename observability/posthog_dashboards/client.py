"""PostHog's private API over HTTP: one request, one answer, and in words what is wrong with the rest.

The rule: the key goes to the configured origin and nowhere else (no redirects, no `next` that leads away),
and into no message. Only "too many requests" is tried again, for then nothing has been done; an answer that
got lost is not, for a second POST would make a second thing: the next run finds the first by its marker.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from observability.posthog_dashboards.declared import Json

TIMEOUT_S = (10.0, 60.0)
PAGE = 100
MOST_PAGES = 1_000
MOST_WAITS = 4
LONGEST_WAIT_S = 60.0
# What to wait where the answer says nothing that can be read.
WAIT_S = 10.0

_SCOPE = re.compile(r"\b[a-z_]+:(?:read|write)\b")
# What a key needs: writing includes reading.
SCOPES = "dashboard:write, insight:write"


class Failed(Exception):
    """PostHog has not done this one thing; others may work."""


class Missing(Failed):
    """It is not there."""


class NoAnswer(Failed):
    """Nothing came back: whether it was done, the next run will see."""


class Hopeless(Exception):
    """Nothing will work before a person has changed something."""


class Client:
    """Speaks for one key to one project. wait: what to do for so many seconds."""

    def __init__(
        self, key: str, project: int, host: str, *, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self.project = project
        self._key = key
        self._base = f"{_checked(host)}/api/projects/{project}/"
        self._wait = wait
        self._session = requests.Session()
        # As a signer, not as a header: requests would replace a header by what .netrc says of the host.
        self._session.auth = self._signed

    def all(self, path: str, **query: str) -> Iterator[Json]:
        """Return everything that a list holds, page by page. Raises Hopeless or Failed."""
        url = self._base + path
        parameters: Mapping[str, str] | None = {"limit": str(PAGE), **query}
        seen: set[str] = set()
        while url:
            if url in seen or len(seen) >= MOST_PAGES:
                raise Hopeless(f"PostHog's list of {path.strip('/')} has no end.")
            seen.add(url)
            page = self._ask("GET", url, parameters=parameters)
            if not isinstance(page.get("results"), list):
                raise Hopeless("The answer is no list of PostHog's. Check POSTHOG_APP_HOST.")
            yield from page["results"]
            url, parameters = self._next(page.get("next")), None

    def get(self, path: str) -> Json:
        """Return one thing. Raises Hopeless or Failed."""
        return self._ask("GET", self._base + path)

    def create(self, path: str, body: Json) -> Json:
        """Make one thing and return it, with its id. Raises Hopeless or Failed."""
        made = self._ask("POST", self._base + path, body)
        if not isinstance(made.get("id"), int):
            raise NoAnswer("PostHog's answer names no id.")
        return made

    def change(self, path: str, body: Json) -> Json:
        """Set some fields of one thing. Raises Hopeless or Failed."""
        return self._ask("PATCH", self._base + path, body)

    def _signed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _next(self, url: object) -> str:
        if not url:
            return ""
        there, here = urlsplit(str(url)), urlsplit(self._base)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise Hopeless(
                "The next page of PostHog's list lies on another host, which must not see the key. Set"
                " POSTHOG_APP_HOST to the address that PostHog knows itself by."
            )
        return str(url)

    def _ask(
        self, method: str, url: str, body: Json | None = None, parameters: Mapping[str, str] | None = None
    ) -> Json:
        for waits_left in range(MOST_WAITS, -1, -1):
            try:
                answer = self._session.request(
                    method, url, json=body, params=parameters, timeout=TIMEOUT_S, allow_redirects=False
                )
            except requests.RequestException as error:
                # Only the kind: the text of a transport error can hold more than is good to show.
                raise NoAnswer(f"PostHog does not answer ({type(error).__name__}).") from None
            if answer.status_code != 429:
                return self._read(answer)
            seconds = _retry_after_s(answer)
            if not waits_left or seconds > LONGEST_WAIT_S:
                break
            self._wait(seconds)
        raise Hopeless("PostHog takes no more requests for now (429). Run it again later.")

    def _read(self, answer: requests.Response) -> Json:
        status = answer.status_code
        document = _document(answer)
        if 200 <= status < 300 and isinstance(document, dict):
            return document
        detail = self._detail(document)
        if status == 401:
            raise Hopeless("PostHog does not know the key (401). Check POSTHOG_PERSONAL_KEY.")
        if status == 403:
            scopes = ", ".join(_SCOPE.findall(detail))
            if scopes:
                raise Failed(f"The key lacks the scope {scopes} (403); it needs {SCOPES}.")
            raise Failed(f"The key may not do this (403). PostHog says: {detail}")
        if status == 404:
            raise Missing("It is not there (404).")
        if status < 400:
            raise Hopeless(
                f"The answer is not PostHog's (HTTP {status}). Check POSTHOG_APP_HOST: the app's address,"
                " without a redirect."
            )
        raise Failed(f"HTTP {status}. PostHog says: {detail}")

    def _detail(self, document: Any) -> str:
        """Return what PostHog says about an error, short, on one line, and without the key."""
        if not isinstance(document, dict):
            return "nothing"
        said = " ".join(str(document.get(name) or "") for name in ("attr", "detail")).split()
        return " ".join(said).replace(self._key, "…")[:300] or "nothing"


def _checked(host: str) -> str:
    """Return the origin of the app. Raises Hopeless where that is no address of it."""
    parts = urlsplit(host)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise Hopeless("POSTHOG_APP_HOST must be an address such as https://eu.posthog.com.")
    if parts.hostname.endswith(".i.posthog.com"):
        raise Hopeless("POSTHOG_APP_HOST names the ingestion host. The app is the same without “i.”.")
    return host.rstrip("/")


def _document(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _retry_after_s(answer: requests.Response) -> float:
    raw = answer.headers.get("Retry-After", "")
    return float(raw) if raw.isascii() and raw.isdigit() else WAIT_S
