"""Promise 1 and 2: a forwarder that is killed between PostHog's taking a batch and the note of it."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from uuid_utils.compat import uuid7

from observability import capture, forwarder
from observability.capture import Occurrence
from observability.catalog.onboarding import UserLoggedIn
from observability.models import Forwarder
from observability.store import Origin
from tests import servers
from tests.journeys import database
from tests.journeys.database import eventually
from tests.servers import Reply
from trainu.supervisor import Supervisor

# The task that django-q2 runs, in a process that can be killed without the cluster.
FORWARD = [
    sys.executable,
    "-c",
    "import django; django.setup(); from observability import tasks; tasks.forward()",
]
EVENTS = 1_200


def test_a_killed_forwarder_sends_one_batch_again_unchanged_and_loses_none(
    supervise: Callable[..., Supervisor],
) -> None:
    now = timezone.now()
    Forwarder.objects.create(position_xid=database.settle())
    people = [UserLoggedIn(user_id=f"c-{number}", role="client") for number in range(10)]
    made = [
        Occurrence(
            people[i % 10], f"client:{people[i % 10].user_id}", now - timedelta(seconds=EVENTS - i), uuid7()
        )
        for i in range(EVENTS)
    ]
    capture.persist(made, Origin("python", "storm"))
    with servers.posthog() as posthog:
        # The second batch is taken in, but its acknowledgement never gets out.
        posthog.script(Reply(), Reply(hang_s=60, stores=True))
        configured = {"POSTHOG_API_KEY": "phc_test", "POSTHOG_HOST": posthog.url, "TRAINU_PROCESS": "worker"}
        supervisor = supervise(("Forwarder", FORWARD, configured))
        assert eventually(lambda: len(posthog.received) == 2 * forwarder.BATCH)
        [service] = supervisor.services
        assert service.process is not None
        os.kill(service.process.pid, signal.SIGKILL)
        supervisor.watch(until=lambda: service.start_again_at is not None)
        assert forwarder.load().sent == forwarder.BATCH
        service.start_again_at = 0.0
        supervisor.watch(until=lambda: service.start_again_at is None)
        assert eventually(lambda: forwarder.load().sent == EVENTS)

    expected = [str(one.uuid) for one in made]
    assert list(dict.fromkeys(posthog.uuids)) == expected, "all arrived, and first in order"
    twice = [uuid for uuid, times in Counter(posthog.uuids).items() if times > 1]
    assert twice == expected[forwarder.BATCH : 2 * forwarder.BATCH]
    assert max(Counter(posthog.uuids).values()) == 2
    copies: dict[str, list[object]] = {}
    for event in posthog.received:
        copies.setdefault(event["uuid"], []).append(event)
    assert all(copies[uuid][0] == copies[uuid][1] for uuid in twice)
    assert forwarder.load().failures == 0
