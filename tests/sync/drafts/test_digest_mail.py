"""A digest is mailed once, over real SMTP: whatever the server answers, loses, or the worker does."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.contrib.auth.models import User

from sync import backoff
from sync.drafts import digest as digests
from sync.drafts.digest import mailing, shown
from sync.models import TrainerDigest, TrainerLogin
from tests.alert_servers import MailServer
from tests.servers import free_port
from tests.sync.drafts import made_digests as made

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ADDRESS = "trainer@example.com"


class LosingServer(MailServer):
    """Takes every mail, and loses the answer by closing the connection."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        assert server.transport
        server.transport.abort()
        return answer


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with MailServer() as running:
        settings.EMAIL_URL = running.url
        yield running


@pytest.fixture
def trainer(db: None) -> User:
    user = User.objects.create_user("nora", email=ADDRESS)
    TrainerLogin.objects.create(user=user, trainer_id="t-1")
    return user


def write(**given: Any) -> TrainerDigest:
    context = {
        "client": {"first_name": "Zofia", "last_name": "Secret", "phone": "+15550100", "email": "z@e.x"}
    }
    made.draft(NOW - 3 * DAY, "failed", context=context, why="Secret reason", text="Secret text")
    made.draft(NOW - 3 * DAY, "sent", client_id="c-2", contact_id="contact-2")
    digests.make_due(now=NOW)
    digest = TrainerDigest.objects.get()
    for name, value in given.items():
        setattr(digest, name, value)
    digest.save()
    return digest


def stands() -> tuple[bool, str, Any, int]:
    one = TrainerDigest.objects.get()
    return one.emailed_at is not None, one.code, one.next_at, one.tries


def test_it_goes_to_its_trainer_once_as_text_and_as_html(server: MailServer, trainer: User) -> None:
    digest = write()
    assert [digests.mail_due(now=NOW + n * MINUTE) for n in range(3)] == [1, 0, 0]
    [mail] = server.mails
    assert server.recipients == [ADDRESS]
    assert mail["Subject"] == "Your week, 16 to 22 November 2026: 1 client at risk, 1 message sent"
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        text = part.get_content()
        for words in (
            "Zofia",
            "Weekly check-in",
            "0 of 1 (0 %)",
            f"/admin/sync/digests/{digest.pk}/?from=email",
        ):
            assert words in text, (kind, words)
        assert not re.search(r"secret|\+1555|z@e|c-1|contact-", text, re.IGNORECASE)
    assert stands() == (True, "", None, 1)


def test_an_answer_that_got_lost_is_no_reason_to_mail_it_again(settings: Any, trainer: User) -> None:
    with LosingServer() as server:
        settings.EMAIL_URL = server.url
        write()
        for hours in range(0, 24, 3):
            digests.mail_due(now=NOW + timedelta(hours=hours))
        assert len(server.mails) == 1
    assert stands() == (False, mailing.UNKNOWN, None, 1)
    assert "Perhaps mailed" in shown.mailed_words(TrainerDigest.objects.get())


def test_what_was_surely_not_taken_is_tried_six_times_under_one_id(server: MailServer, trainer: User) -> None:
    ids: list[str] = []

    class Greylisting(MailServer):
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            ids.extend(re.findall(rb"Message-ID: (\S+)", envelope.content or b""))
            return "451 Later"

    server.__class__ = Greylisting
    write()
    at = NOW
    for number in range(1, backoff.MOST_TRIES + 1):
        assert digests.mail_due(now=at) == 0
        wait = backoff.delay(number)
        assert stands() == (False, "smtp_451", at + wait if wait else None, number)
        assert digests.mail_due(now=at + (wait or DAY) - timedelta(seconds=1)) == 0
        at += wait or DAY
    digests.mail_due(now=at)
    assert (len(ids), len(set(ids))) == (backoff.MOST_TRIES, 1)


def test_a_server_that_is_away_is_asked_again(server: MailServer, trainer: User, settings: Any) -> None:
    write()
    there = settings.EMAIL_URL
    settings.EMAIL_URL = f"smtp://127.0.0.1:{free_port()}"
    digests.mail_due(now=NOW)
    assert stands() == (False, "connection", NOW + MINUTE, 1)
    settings.EMAIL_URL = there
    assert digests.mail_due(now=NOW + MINUTE) == 1
    assert stands() == (True, "", None, 2)


@pytest.mark.parametrize(
    ("address", "is_active", "code"),
    [("", True, "no_address"), (ADDRESS, False, "no_address"), (ADDRESS, True, "recipients_refused")],
)
def test_who_cannot_be_mailed_has_it_in_the_admin_only(
    server: MailServer, trainer: User, address: str, is_active: bool, code: str
) -> None:
    server.refuses = {ADDRESS: "550 No such user"}
    trainer.email, trainer.is_active = address, is_active
    trainer.save()
    write()
    digests.mail_due(now=NOW)
    assert stands() == (False, code, None, 1)
    assert server.mails == []


def test_where_email_is_off_no_old_one_goes_out_later(
    server: MailServer, trainer: User, settings: Any
) -> None:
    there, settings.EMAIL_URL = settings.EMAIL_URL, ""
    write()
    settings.EMAIL_URL = there
    assert digests.mail_due(now=NOW + DAY) == 0
    assert stands() == (False, "email_off", None, 0)


@pytest.mark.parametrize(("is_handed_in", "mails", "code"), [(False, 1, ""), (True, 0, "unknown")])
def test_after_a_worker_that_was_killed(
    server: MailServer, trainer: User, is_handed_in: bool, mails: int, code: str
) -> None:
    """Killed before it handed anything in, another one mails it; after that nobody can know, and nobody does.

    The rows are as such a worker leaves them; a journey kills real ones.
    """
    write(tries=1, next_at=NOW + mailing.LEASE, code=mailing.IN_HAND if is_handed_in else "")
    assert digests.mail_due(now=NOW + mailing.LEASE - MINUTE) == 0
    assert digests.mail_due(now=NOW + mailing.LEASE) == mails
    assert len(server.mails) == mails
    assert stands()[:3] == (bool(mails), code, None)


def test_one_whose_worker_ends_each_time_is_given_up(server: MailServer, trainer: User) -> None:
    write(tries=backoff.MOST_TRIES, next_at=NOW)
    assert digests.mail_due(now=NOW) == 0
    assert stands() == (False, "lost", None, backoff.MOST_TRIES)


def test_who_comes_back_after_the_lease_hands_nothing_in(server: MailServer, trainer: User) -> None:
    digest = write()
    late = mailing._Claim(digest.pk, 1)
    TrainerDigest.objects.update(tries=2, next_at=NOW + mailing.LEASE)
    assert mailing._deliver(late) is None
    assert server.mails == []


def test_each_has_an_id_of_its_own(server: MailServer, trainer: User) -> None:
    for number in range(5):
        TrainerDigest.objects.create(
            id=made.uuid4(),
            trainer_id="t-1",
            week=date(2026, 9, 7) + number * timedelta(days=7),
            created_at=NOW,
            next_at=NOW,
        )
    assert digests.mail_due(now=NOW) == 5
    assert len({mail["Message-ID"] for mail in server.mails}) == 5
