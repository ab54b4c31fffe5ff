"""The dead man's switch: somebody outside is told each minute that alerts are watched, and calls when not.

Any service with an address to ping will do, such as healthchecks.io: the address itself says that all is
well, `/fail` behind it that something is not, and the body of that says what. The rule: it is pinged after a
complete evaluation only, never in a transaction, never for longer than WAIT_S; its address is a secret.
"""

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import structlog
from django.conf import settings

from observability.models import Evaluation, Notification

log = structlog.get_logger(__name__)

WAIT_S = 5.0
# What died is somebody's to send again; that it was lost for ever is not told for ever. A test is no loss.
DIED_WITHIN = timedelta(days=1)
# One at a time: what outlives its wait is not joined by more of its kind.
_asking: threading.Thread | None = None


def ping(troubles: Sequence[str], *, now: datetime) -> str | None:
    """Tell that all rules were looked at, and what is not well; None where nobody is to be told.

    troubles: words of ours. Returns why it could not be told, empty where it was, and keeps that.
    """
    if not settings.HEARTBEAT_URL:
        return None
    code = _ask([*troubles, *_dead(now)])
    if code:
        log.warning("heartbeat_not_told", code=code)
    kept = {"ping_code": code} if code else {"ping_code": "", "pinged_at": now}
    Evaluation.objects.filter(pk=1).update(**kept)
    return code


def _dead(now: datetime) -> list[str]:
    dead = Notification.objects.filter(state=Notification.State.DEAD, due_at__gt=now - DIED_WITHIN)
    dead = dead.exclude(act="test")
    return [f"notification:{kind}" for kind in dead.values_list("channel", flat=True).order_by().distinct()]


def _ask(troubles: Sequence[str]) -> str:
    """Make the request in a thread, for names are looked up and answers dripped in without end."""
    global _asking
    said = ["timeout"]
    request = _request(settings.HEARTBEAT_URL, troubles)
    if request is None:
        return "bad_address"
    if _asking is None or not _asking.is_alive():
        _asking = threading.Thread(target=lambda: said.append(_code(request)), name="heartbeat", daemon=True)
        _asking.start()
        _asking.join(WAIT_S)
    return said[-1]


def _request(url: str, troubles: Sequence[str]) -> urllib.request.Request | None:
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        path = parts.path.rstrip("/") + "/fail" if troubles else parts.path
        return urllib.request.Request(
            urlunsplit(parts._replace(path=path)),
            data="\n".join(troubles).encode() or None,
            headers={"User-Agent": "trainu-observability"},
        )
    except ValueError:
        return None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Who moved has to be configured anew: an address that is a secret is told to nobody else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def _code(request: urllib.request.Request) -> str:
    try:
        with _opener.open(request, timeout=WAIT_S):
            return ""
    except urllib.error.HTTPError as error:
        return f"status_{error.code}"
    except TimeoutError:
        return "timeout"
    except (OSError, http.client.HTTPException, ValueError) as error:
        is_timeout = isinstance(getattr(error, "reason", None), TimeoutError)
        return "timeout" if is_timeout else "unreachable"
