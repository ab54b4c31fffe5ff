"""TrainU's apps in the demo: report sync jobs to the API, a few a minute, some of them wrong; now and then
they ask for a draft, or tell what the agent has found out.

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
# One report in so many is a wish for a draft, and one an insight.
DRAFT_EVERY, INSIGHT_EVERY = 10, 45
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


def wishes(seed: int, coaches: list[Any], *, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield wish after wish for a draft, as the API takes them."""
    from trainu.demo import coaches as known

    rng = Random(f"{seed}:wishes:{now.isoformat()}")
    while True:
        coach = rng.choice(coaches)
        kind, channel = rng.choice(list(known.REASONS)), rng.choice(("sms", "sms", "email"))
        yield known.wish(coach, rng.choice(coach.clients), kind, channel, now=datetime.now(UTC))


def findings(seed: int, coaches: list[Any], *, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield insight after insight, as the API takes them."""
    from trainu.demo import coaches as known

    rng = Random(f"{seed}:findings:{now.isoformat()}")
    while True:
        coach = rng.choice(coaches)
        yield known.insight(coach, rng.choice(coach.clients), rng.choice(list(known.INSIGHTS)))


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


def _post(api: str, path: str, key: str, said: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{api}{path}",
        data=json.dumps(said).encode(),
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
    from trainu.demo.coaches import coaches
    from trainu.demo.studios import studios

    places, now = studios(given.seed), datetime.now(UTC)
    trainers = coaches(places, given.seed)
    wanted, found = wishes(given.seed, trainers, now=now), findings(given.seed, trainers, now=now)
    for number, job in enumerate(jobs(given.seed, places, now=now), 1):
        time.sleep(EVERY_S)
        key = os.environ["TRAINU_DEMO_KEY"]
        _post(given.api, "/api/sync/jobs", key, job)
        if number % DRAFT_EVERY == 0:
            _post(given.api, "/api/drafts", key, next(wanted))
        if number % INSIGHT_EVERY == 0:
            _post(given.api, "/api/insights", key, next(found))


if __name__ == "__main__":
    main()
