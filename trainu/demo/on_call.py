"""Whoever is on call, simulated: a Slack channel, PagerDuty, an inbox, and the dead man's switch.

Run as `python -m trainu.demo.on_call PORT MAIL_PORT`; GET / shows on one page what has come in, newest first.
It listens on loopback only, and forgets everything when it ends.
"""

import json
import sys
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from html import escape
from typing import Any

from trainu.demo.loopback import LoopbackHandler, serve
from trainu.demo.mail import MailServer

SLACK_PATH = "/services/T0DEMO/B0DEMO/demo"
PAGERDUTY_KEY = "demo0demo0demo0demo0demo0demo000"
HEARTBEAT_PATH = "/ping/demo"
MOST_KEPT = 200
# The page itself reloads, which a sandbox would forbid; a mail comes from elsewhere, and stays in one.
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_MAIL_POLICY = "default-src 'none'; sandbox"
_PAGE = """<!DOCTYPE html>
<html lang="en-gb">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="5"><title>On call (simulated)</title></head>
<body><h1>On call (simulated)</h1>
<p><a href="/">Reload</a> (it reloads every five seconds by itself)</p>
<p>Dead man's switch: {switch}</p>
<h2>PagerDuty</h2>
<table border="1" cellpadding="6" cellspacing="0">
<thead><tr><th scope="col">Key</th><th scope="col">State</th><th scope="col">Summary</th></tr></thead>
<tbody>{pagerduty}</tbody></table>
<h2>What has come in</h2>
<table border="1" cellpadding="6" cellspacing="0">
<thead><tr><th scope="col">At (UTC)</th><th scope="col">By</th><th scope="col">What</th></tr></thead>
<tbody>{told}</tbody></table>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that has come in. html: of a mail that has it."""

    number: int
    at: datetime
    by: str
    words: str
    html: str = ""


class Desk:
    """What has come in, the newest MOST_KEPT of it, and how each alert of PagerDuty stands."""

    def __init__(self) -> None:
        self.told: deque[Told] = deque(maxlen=MOST_KEPT)
        self.alerts: dict[str, tuple[str, str]] = {}
        self.heard: tuple[datetime, str] | None = None
        self._count = 0
        self._lock = threading.Lock()

    def tell(self, by: str, words: str, html: str = "") -> None:
        """Keep what has come by a channel."""
        with self._lock:
            self._count += 1
            self.told.appendleft(Told(self._count, datetime.now(UTC), by, words, html))

    def page(self, event: dict[str, Any]) -> str:
        """Do what an event asks of PagerDuty; return the alert's key."""
        key, act = str(event["dedup_key"])[:255], event["event_action"]
        state, summary = self.alerts.pop(key, ("resolved", ""))
        summary = event.get("payload", {}).get("summary", summary)
        if act == "trigger":
            state = "triggered" if state == "resolved" else state
        elif state != "resolved":
            state = {"acknowledge": "acknowledged", "resolve": "resolved"}[act]
        self.alerts[key] = (state, summary)
        while len(self.alerts) > MOST_KEPT:
            self.alerts.pop(next(iter(self.alerts)))
        self.tell("PagerDuty", f"{act}: {summary or key}")
        return key

    def take_mail(self, message: EmailMessage) -> None:
        """Keep a mail."""
        text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
        words = f"{message['subject']}\n\n{text.get_content() if text else ''}"
        self.tell("Email", words, html.get_content() if html else "")

    def html(self) -> str:
        """Return the page."""
        switch = (
            "never heard of" if self.heard is None else f"{self.heard[1]} at {self.heard[0]:%H:%M:%S} UTC"
        )
        alerts = (_row(key, state, summary) for key, (state, summary) in reversed(list(self.alerts.items())))
        told = (
            _row(
                f"{one.at:%d %B, %H:%M:%S}", one.by, one.words, link=f"/mail/{one.number}" if one.html else ""
            )
            for one in list(self.told)
        )
        return _PAGE.format(switch=escape(switch), pagerduty="".join(alerts), told="".join(told))

    def mail_html(self, number: str) -> str | None:
        """Return a mail as it would be read; None where there is no such one."""
        return next((one.html for one in list(self.told) if str(one.number) == number and one.html), None)


def _row(*cells: str, link: str = "") -> str:
    written = "".join(f"<td><pre>{escape(cell)}</pre></td>" for cell in cells)
    shown = f'<td><a href="{link}">as HTML</a></td>' if link else ""
    return f"<tr>{written}{shown}</tr>"


class OnCall(LoopbackHandler):
    desk = Desk()

    def do_POST(self) -> None:
        body, desk = self.body(), OnCall.desk
        if self.path == SLACK_PATH:
            desk.tell("Slack", str(json.loads(body).get("text", "")))
            self._show("ok", kind="text/plain")
        elif self.path == "/v2/enqueue":
            event = json.loads(body)
            if event.get("routing_key") != PAGERDUTY_KEY:
                self.answer({"status": "invalid event", "errors": ["routing_key"]}, status=400)
                return
            self.answer({"status": "success", "dedup_key": desk.page(event)}, status=202)
        elif self.path.startswith(HEARTBEAT_PATH):
            self._hear(body.decode(errors="replace"))
        else:
            self.answer({}, status=404)

    def do_GET(self) -> None:
        if self.path.startswith(HEARTBEAT_PATH):
            self._hear("")
            return
        number = self.path.removeprefix("/mail/")
        page = OnCall.desk.html() if self.path == "/" else OnCall.desk.mail_html(number)
        if page is None:
            self.answer({}, status=404)
        else:
            self._show(page, policy=_POLICY if self.path == "/" else _MAIL_POLICY)

    def _hear(self, words: str) -> None:
        is_well = self.path == HEARTBEAT_PATH
        what = "all is well" if is_well else f"not all is well ({', '.join(words.split())[:500]})"
        OnCall.desk.heard = (datetime.now(UTC), what)
        self._show("OK", kind="text/plain")

    def _show(self, page: str, *, kind: str = "text/html", policy: str = _MAIL_POLICY) -> None:
        body = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    inbox = MailServer(int(sys.argv[2]), OnCall.desk.take_mail)
    threading.Thread(target=inbox.serve_forever, daemon=True).start()
    serve(OnCall)
