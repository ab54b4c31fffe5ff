"""Messages that webhooks tell of: kept once each as plain text, and what they say about consent, drafts."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.drafts import consent, conversation, plain_text
from sync.models import Draft, Location, Message, Webhook
from sync.webhooks import intake, processing
from tests.sync.drafts.approved import again, draft
from tests.sync.webhooks import LOCATION, NOW, SIGNER, contact, number, signed

CONTACT = "cI08i1Bls3iTB9bKgFJh"


@pytest.fixture
def location(db: None, settings: Any) -> Location:
    settings.GHL_WEBHOOK_KEYS = [SIGNER.public_pem]
    return Location.objects.create(pk=LOCATION, name="Studio", created_at=NOW)


def message(count: int = 1, **overrides: Any) -> dict[str, Any]:
    return {
        "type": "InboundMessage",
        "locationId": LOCATION,
        "body": "See you then!",
        "contactId": CONTACT,
        "contentType": "text/plain",
        "dateAdded": "2026-11-23T11:59:30.750Z",
        "direction": "inbound",
        "messageType": "SMS",
        "status": "delivered",
        "messageId": f"msg{count}",
        "webhookId": number(count),
    } | overrides


def hear(*documents: dict[str, Any]) -> list[Webhook]:
    for document in documents:
        raw, headers = signed(document)
        intake.accept(raw, headers, now=NOW)
    while processing.work(now=NOW):
        pass
    return list(Webhook.objects.order_by("pk"))


def test_a_message_is_kept_once_however_often_it_is_told(location: Location) -> None:
    [first, second] = hear(message(), message(webhookId=number(2), body="Told a second time"))
    assert (first.state, second.state) == ("done", "done")
    one = Message.objects.get()
    assert (one.message_id, one.direction, one.channel, one.text) == (
        "msg1",
        "inbound",
        "sms",
        "See you then!",
    )
    assert one.at == NOW - timedelta(seconds=29, milliseconds=250)


@pytest.mark.parametrize(
    ("overrides", "direction", "channel"),
    [
        ({"type": "OutboundMessage", "messageType": "TYPE_SMS"}, "outbound", "sms"),
        # As in a sample of theirs: the topic is right, the field is not.
        ({"type": "OutboundMessage", "direction": "inbound"}, "outbound", "sms"),
        ({"messageType": "TYPE_CUSTOM_EMAIL"}, "inbound", "email"),
        ({"messageType": "Live Chat"}, "inbound", "live_chat"),
        ({"messageType": "VoiceMail", "body": None}, "inbound", "voicemail"),
        ({"messageType": 7}, "inbound", "other"),
    ],
)
def test_who_wrote_and_on_which_channel(
    location: Location, overrides: dict[str, Any], direction: str, channel: str
) -> None:
    hear(message(**overrides))
    one = Message.objects.get()
    assert (one.direction, one.channel) == (direction, channel)


def test_a_message_without_an_id_is_named_by_its_webhook_and_one_of_nobody_is_not_used(
    location: Location,
) -> None:
    [kept, unknown] = hear(message(1, messageId=None), message(2, contactId=""))
    assert Message.objects.get().message_id == kept.dedupe_key
    assert (unknown.state, unknown.code) == ("ignored", "not_used")


def test_a_conversation_is_in_its_order_whatever_the_order_of_deliveries(location: Location) -> None:
    hear(*(message(n, dateAdded=f"2026-11-23T11:{n:02d}:00Z", body=f"{n}") for n in (4, 1, 3, 2)))
    hear(message(9, contactId="somebodyElse"))
    assert [one.text for one in conversation.of(CONTACT, LOCATION)] == ["1", "2", "3", "4"]
    assert [one.text for one in conversation.of(CONTACT, LOCATION, most=2)] == ["3", "4"]


def test_an_email_is_kept_without_its_formatting_and_cut(location: Location) -> None:
    body = "<div style='x'>Hello&nbsp;Ada,<br>at <b>nine</b>?</div><style>p{}</style>" + "<p>z</p>" * 3000
    hear(message(messageType="Email", body=body, subject="Training"))
    text = Message.objects.get().text
    assert text.startswith("Hello Ada,\nat nine?\nz\nz")
    assert len(text) == conversation.LONGEST_TEXT


def test_a_message_from_the_future_is_of_now(location: Location) -> None:
    hear(message(dateAdded="2027-01-01T00:00:00Z"))
    assert Message.objects.get().at == NOW


def test_stop_and_its_undoing_count_in_their_own_order(
    location: Location, caplog: pytest.LogCaptureFixture
) -> None:
    stop = message(1, body="Stop.", dateAdded="2026-11-23T11:00:00Z")
    start = message(2, body="START", dateAdded="2026-11-23T11:01:00Z")
    hear(start, stop)
    assert consent.allows(CONTACT, LOCATION, "sms")
    hear(message(3, body="stop", dateAdded="2026-11-23T11:02:00Z"))
    assert not consent.allows(CONTACT, LOCATION, "sms")
    assert consent.allows(CONTACT, LOCATION, "email")
    hear(message(4, messageType="Email", subject="Unsubscribe", body="<p>Sent from my phone</p>"))
    assert not consent.allows(CONTACT, LOCATION, "email")
    assert "sent from my phone" not in caplog.text.lower()


def test_what_we_have_written_ourselves_is_nobodys_wish_and_no_act_of_the_client(location: Location) -> None:
    one = draft(CONTACT, LOCATION, based_at=NOW - timedelta(hours=1))
    hear(message(type="OutboundMessage", body="STOP"))
    assert consent.allows(CONTACT, LOCATION, "sms")
    assert again(one).client_acted_at is None


def test_do_not_disturb_comes_with_a_contacts_webhooks(location: Location) -> None:
    update = {"type": "ContactDndUpdate", "id": CONTACT, "source": None}
    off = contact(number(1), **update, dnd=False, dndSettings={"SMS": {"status": "active"}})
    hear(off)
    assert [consent.allows(CONTACT, LOCATION, channel) for channel in ("sms", "email")] == [False, True]
    # An ordinary change says nothing of single channels; an older word changes nothing.
    hear(contact(number(2), type="ContactUpdate", id=CONTACT, dnd=False))
    hear(contact(number(3), **update, dnd=False, dndSettings={}, timestamp="2026-11-23T11:00:00Z"))
    assert not consent.allows(CONTACT, LOCATION, "sms")
    hear(contact(number(4), type="ContactCreate", id="other00000000000000A", dnd=True))
    assert not consent.allows("other00000000000000A", LOCATION, "email")
    lifted = {"SMS": {"status": "inactive"}}
    hear(contact(number(5), **update, dnd=False, dndSettings=lifted, timestamp="2026-11-23T11:59:30Z"))
    assert consent.allows(CONTACT, LOCATION, "sms")


def test_a_client_who_writes_makes_drafts_stale_by_the_time_of_the_message(location: Location) -> None:
    old, new = (draft(CONTACT, LOCATION, based_at=NOW - timedelta(minutes=n)) for n in (5, 0))
    sent = draft(CONTACT, LOCATION, state="dismissed", ended_at=NOW)
    hear(message(), message(2, dateAdded="2026-11-23T11:50:00Z"))
    at = NOW - timedelta(seconds=29, milliseconds=250)
    assert [(again(one).client_acted_at, again(one).is_stale) for one in (old, new)] == [
        (at, True),
        (at, False),
    ]
    assert again(old).client_act == Draft.ClientAct.WROTE
    assert again(sent).client_acted_at is None


@given(st.text(alphabet=st.sampled_from("<>/!- abpstyle=\"'&;\n\x00"), max_size=300))
def test_any_html_becomes_a_text_without_tags(source: str) -> None:
    text = plain_text.of_html(source)
    assert "\x00" not in text
    assert text == text.strip()
    assert plain_text.tidied(text) == text


def test_html_of_a_megabyte_is_read_in_no_time() -> None:
    for part in ("<", "<!--", "<style>", "<a ", "</style", "&", "\n ", "<!-- -->"):
        assert len(plain_text.of_html(part * 150_000)) <= 200_000
