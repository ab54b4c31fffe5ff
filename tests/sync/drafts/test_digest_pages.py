"""Weekly digests in the admin: whose each is, and that a trainer's opening counts and staff's does not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from uuid_utils.compat import uuid4

from sync import signals
from sync.drafts import digest as digests
from sync.models import TrainerDigest, TrainerLogin
from sync.signals import DigestOpened
from tests.conftest import Staff
from tests.sync.drafts import made_digests as made

pytestmark = pytest.mark.django_db
PAGE = "/admin/sync/digests/"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def opened() -> Iterator[list[DigestOpened]]:
    told: list[DigestOpened] = []

    def hear(digests: list[DigestOpened], **_signal: Any) -> None:
        told.extend(digests)

    signals.digests_opened.connect(hear)
    yield told
    signals.digests_opened.disconnect(hear)


@pytest.fixture
def two(db: None) -> tuple[TrainerDigest, TrainerDigest]:
    """A digest of each of two trainers."""
    for trainer in ("t-1", "t-2"):
        context = {"client": {"first_name": f"<b>Of {trainer}"}}
        made.draft(
            NOW - 3 * DAY,
            "failed",
            trainer_id=trainer,
            client_id=f"c-{trainer}",
            context=context,
            why="A <i>why",
        )
        made.draft(NOW - 3 * DAY, "sent", trainer_id=trainer)
    digests.make_due(now=NOW)
    first, second = TrainerDigest.objects.order_by("trainer_id")
    return first, second


def trainer(staff: Staff, trainer_id: str = "t-1") -> Client:
    client = staff("open_inbox", "work_draft")
    TrainerLogin.objects.create(user=User.objects.get(username="nora"), trainer_id=trainer_id)
    return client


def test_trainers_see_their_own_and_nobody_elses(
    staff: Staff, two: tuple[TrainerDigest, TrainerDigest]
) -> None:
    client = trainer(staff)
    listed = client.get(PAGE).content.decode()
    assert str(two[0].pk) in listed
    assert str(two[1].pk) not in listed
    page = client.get(f"{PAGE}{two[0].pk}/").content.decode()
    for words in ("&lt;b&gt;Of t-1", "A &lt;i&gt;why", "0 of 1 (0 %)", "1 client at risk, 1 message sent"):
        assert words in page
    # On a phone each figure is a line of its own, with what it is; a share is never broken.
    for cell in ('"num" data-label="Dismissed">0<', '"num keep" data-label="This week">0 of 1 (0 %)<'):
        assert cell in page
    assert client.get(f"{PAGE}{two[1].pk}/").status_code == 404
    assert client.get(f"{PAGE}{uuid4()}/").status_code == 404


@pytest.mark.parametrize(("codenames", "status"), [((), 403), (("view_draft",), 403), (("open_inbox",), 200)])
def test_who_is_no_trainer_sees_none(
    staff: Staff, two: tuple[TrainerDigest, TrainerDigest], codenames: tuple[str, ...], status: int
) -> None:
    client = staff(*codenames)
    answer = client.get(PAGE)
    assert answer.status_code == status
    assert str(two[0].pk) not in answer.content.decode()
    assert client.get(f"{PAGE}{two[0].pk}/").status_code == (404 if status == 200 else 403)


def test_who_only_looks_is_told_ids_and_no_names(
    staff: Staff, two: tuple[TrainerDigest, TrainerDigest]
) -> None:
    page = staff("open_inbox", "view_draft").get(f"{PAGE}{two[0].pk}/").content.decode()
    assert "c-t-1" in page
    for words in ("Of t-1", "A &lt;i&gt;why"):
        assert words not in page
    User.objects.all().delete()
    assert (
        "Of t-1"
        in staff("open_inbox", "view_draft", "work_draft").get(f"{PAGE}{two[0].pk}/").content.decode()
    )


def test_an_opening_counts_each_time_and_is_the_trainers_own(
    staff: Staff, boss: Client, two: tuple[TrainerDigest, TrainerDigest], opened: list[DigestOpened]
) -> None:
    address = f"{PAGE}{two[0].pk}/"
    assert boss.get(address).status_code == 200
    assert opened == []
    assert TrainerDigest.objects.get(pk=two[0].pk).viewed_at is None
    client = trainer(staff)
    client.get(f"{address}?from=email")
    first = TrainerDigest.objects.get(pk=two[0].pk).viewed_at
    assert first is not None
    client.get(f"{address}?from=elsewhere")
    client.get(PAGE)
    assert TrainerDigest.objects.get(pk=two[0].pk).viewed_at == first
    assert [(one.digest_id, one.trainer_id, one.surface) for one in opened] == [
        (two[0].pk, "t-1", "email"),
        (two[0].pk, "t-1", "admin"),
    ]
    # Nor does staff who is a trainer too open what is somebody else's.
    User.objects.update(is_superuser=True)
    assert client.get(f"{PAGE}{two[1].pk}/").status_code == 200
    assert len(opened) == 2


def test_staff_see_all_page_by_page(boss: Client) -> None:
    for number in range(120):
        TrainerDigest.objects.create(
            id=uuid4(),
            trainer_id=f"t-{number % 40:02}",
            week=(NOW - (7 * (number // 40)) * DAY).date(),
            created_at=NOW,
            code="no_address",
        )
    seen, before = [], ""
    while True:
        answer = boss.get(PAGE, {"before": before} if before else {})
        assert "has no email address" in answer.content.decode()
        seen += [(row[0].week, row[0].trainer_id) for row in answer.context["rows"]]
        before = answer.context["older"]
        if not before:
            break
    assert len(seen) == len(set(seen)) == 120
    assert boss.get(PAGE, {"before": "nonsense"}).status_code == 200
    assert boss.post(PAGE).status_code == 405
