"""Workers killed while they mail digests: nobody gets one twice, and what is not known is said."""

import asyncio
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session
from django.contrib.auth.models import User
from django.utils import timezone

from sync.drafts.digest import mailing
from sync.models import TrainerDigest, TrainerLogin
from tests.alert_servers import MailServer
from tests.journeys.database import eventually
from trainu.supervisor import Supervisor

# As django-q2 runs them, each forked anew when it was killed, with a shorter lease.
WORKERS = """
import os, time
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from sync.drafts import digest
from sync.drafts.digest import mailing
mailing.LEASE = timedelta(seconds=2)
running = 0
while True:
    while running < 2:
        if os.fork() == 0:
            while True:
                digest.mail_due(now=timezone.now())
                time.sleep(0.05)
        running += 1
    os.wait()
    running -= 1
"""
DIGESTS, LATENCY_S, KILLS = 24, 0.2, 6


class SlowServer(MailServer):
    """Takes a mail at once, and lets its client wait for the answer. waited: whether one waits now."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        self.waited.set()
        await asyncio.sleep(LATENCY_S)
        self.waited.clear()
        return answer


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def write() -> None:
    user = User.objects.create_user("nora", email="trainer@example.com")
    TrainerLogin.objects.create(user=user, trainer_id="t-1")
    now = timezone.now()
    TrainerDigest.objects.bulk_create(
        TrainerDigest(
            id=uuid4(),
            trainer_id="t-1",
            week=date(2020, 1, 6) + timedelta(days=7 * number),
            created_at=now,
            next_at=now,
        )
        for number in range(DIGESTS)
    )


def test_killed_workers_mail_no_digest_twice(
    transactional_db: None, supervise: Callable[..., Supervisor]
) -> None:
    dice = random.Random(5)
    with SlowServer() as mail:
        place = {"EMAIL_URL": mail.url, "TRAINU_PROCESS": "worker"}
        supervisor = supervise(("Workers", [sys.executable, "-c", WORKERS], place))
        [service] = supervisor.services
        assert service.process is not None
        pid = service.process.pid
        assert eventually(lambda: len(children(pid)) == 2, 60)
        write()
        assert eventually(lambda: bool(mail.envelopes), 60)
        for number in range(KILLS):
            # At any moment, and while the server has taken it and nobody has heard so.
            if number % 2:
                assert mail.waited.wait(60)
            else:
                time.sleep(dice.uniform(0.05, 0.3))
            for child in children(pid):
                os.kill(child, signal.SIGKILL)
        left = TrainerDigest.objects.filter(next_at__isnull=False)
        assert left.exists(), "everything was mailed before the last kill"
        assert eventually(lambda: not left.exists(), 60)
        ids = Counter(str(one["Message-ID"]) for one in mail.mails)
    assert set(ids.values()) == {1}
    stands = {mailing.message_id(one.pk): one for one in TrainerDigest.objects.all()}
    mailed = {id for id, one in stands.items() if one.emailed_at}
    unknown = {id for id, one in stands.items() if one.code == mailing.UNKNOWN}
    assert mailed <= ids.keys() <= mailed | unknown
    assert mailed | unknown == stands.keys()
    assert unknown, "nobody was killed while the server had it in hand"
