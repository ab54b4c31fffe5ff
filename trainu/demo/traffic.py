"""TrainU's apps in the demo: report sync jobs to the API, a few a minute, some of them wrong.

`python -m trainu.demo.traffic --api URL --seed S`, with the key in TRAINU_DEMO_KEY. The rule: it is a
client like any other, and knows nothing but the API; loopback only.
"""

import argparse
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

EVERY_S = 4.0
_TEXTS = ("See you tomorrow.", "Your plan for the week is ready.", "Well done today.")
_TAGS = ("vip", "morning", "trial", "strength")


def jobs(seed: int, studios: list[Any], *, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield job after job, as the API takes them; about one in fifteen cannot be carried out."""
    rng = Random(f"{seed}:{now.isoformat()}")
    while True:
        studio = rng.choice(studios)
        contact = rng.choice(studio.contacts)
        if rng.random() < 0.07:
            contact = f"gone{rng.randrange(10**12):016d}"
        operation, payload = rng.choice(_MAKERS)(rng, studio, contact, now)
        yield {"operation": operation, "location_id": studio.id, "payload": payload}


def _update(rng: Random, studio: Any, contact: str, now: datetime) -> tuple[str, dict[str, Any]]:
    return "contact.update", {"contact_id": contact, "city": rng.choice(("Bonn", "Ulm", "Kiel"))}


def _tag(rng: Random, studio: Any, contact: str, now: datetime) -> tuple[str, dict[str, Any]]:
    return "contact.add_tags", {"contact_id": contact, "tags": [rng.choice(_TAGS)]}


def _note(rng: Random, studio: Any, contact: str, now: datetime) -> tuple[str, dict[str, Any]]:
    return "note.create", {"contact_id": contact, "body": rng.choice(_TEXTS)}


def _message(rng: Random, studio: Any, contact: str, now: datetime) -> tuple[str, dict[str, Any]]:
    return "message.send", {"channel": "SMS", "contact_id": contact, "message": rng.choice(_TEXTS)}


def _book(rng: Random, studio: Any, contact: str, now: datetime) -> tuple[str, dict[str, Any]]:
    start = (now + timedelta(days=rng.randrange(1, 21))).replace(minute=0, second=0, microsecond=0)
    return "appointment.create", {
        "calendar_id": rng.choice(studio.calendars),
        "contact_id": contact,
        "start_at": start.isoformat(),
        "end_at": (start + timedelta(hours=1)).isoformat(),
        "title": "Session",
        "status": rng.choice(("new", "confirmed")),
    }


_MAKERS = (_update, _update, _tag, _note, _message, _book)


def _post(api: str, key: str, job: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{api}/api/sync/jobs",
        data=json.dumps(job).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except (OSError, urllib.error.URLError):
        # The service is starting or stopping: this one is lost, as an app's would be that does not repeat.
        return


def main() -> None:
    """Parse the arguments and report until ended."""
    parser = argparse.ArgumentParser(prog="python -m trainu.demo.traffic", description=__doc__)
    parser.add_argument("--api", required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trainu.settings")
    import django

    django.setup()
    from trainu.demo.studios import studios

    for job in jobs(given.seed, studios(given.seed), now=datetime.now(UTC)):
        time.sleep(EVERY_S)
        _post(given.api, os.environ["TRAINU_DEMO_KEY"], job)


if __name__ == "__main__":
    main()
