"""The AI Inbox as pages: who sees and decides what, what a refusal leaves, and what the pages cost."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from pytest_django import Settings

from observability.models import AuditEntry
from sync import kill_switch
from sync.dead_letters import letters
from sync.drafts import deciding, inbox, staleness
from sync.drafts.llm import errors
from sync.drafts.staleness import ClientActed
from sync.models import DeadLetter, Draft, DraftAttempt, Message, SyncJob, TrainerLogin
from tests import make
from tests.conftest import Staff
from tests.costs import asked_again
from tests.sync.dying import death
from trainu import roles

pytestmark = pytest.mark.django_db

LIST = "/admin/sync/inbox/"
CONFIRM, MANY = f"{LIST}confirm/", f"{LIST}approve/"
LOGINS = "/admin/sync/trainerlogin/"
SECRET = "Meet me at the lake, <script>alert(1)</script>"
HOUR = timedelta(hours=1)


@pytest.fixture
def trainer() -> Client:
    """A browser of trainer t-1, who is in the trainers' group and nothing else."""
    user = User.objects.create_user("sam", is_staff=True)
    user.groups.add(Group.objects.get(name=roles.TRAINER.name))
    TrainerLogin.objects.create(user=user, trainer_id="t-1")
    return signed_in(user)


def signed_in(user: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


def page(draft: Draft, verb: str = "") -> str:
    return f"{LIST}drafts/{draft.pk}/{verb + '/' if verb else ''}"


def text(answer: HttpResponse) -> str:
    return answer.content.decode()


def told(client: Client, draft: Draft, verb: str, **given: Any) -> str:
    """Post a verb and return what is said then, wherever it leads."""
    return text(client.post(page(draft, verb), given, follow=True))


def approve(client: Client, draft: Draft, words: str | None = None, **given: Any) -> str:
    """Approve a draft as its page's form does, as it is or with other words."""
    sent = {"text": draft.text if words is None else words, "subject": draft.subject, "round": draft.round}
    return told(client, draft, "approve", **sent | given)


def state(draft: Draft) -> str:
    draft.refresh_from_db()
    return draft.state


def test_a_trainer_sees_and_decides_their_own_and_of_others_there_is_nothing(
    trainer: Client, staff: Staff, client: Client
) -> None:
    own, other = make.draft(text="Mine"), make.draft(trainer_id="t-2", text="Not mine", client_id="c-2")
    shown = text(trainer.get(LIST))
    assert "Mine" in shown
    assert str(other.pk) not in shown
    assert str(other.pk) not in text(trainer.get(f"{LIST}?trainer=t-2"))
    assert 'name="trainer"' not in shown
    assert trainer.get(page(own)).status_code == 200
    for path in (page(other), f"{page(other)}news/", f"{LIST}drafts/no-id/"):
        assert trainer.get(path).status_code == 404, path
    for verb in ("approve", "regenerate", "retry", "snooze", "wake", "dismiss", "recall"):
        assert trainer.post(page(other, verb), {"reason": "x"}).status_code == 404, verb
    assert str(other.pk) not in text(trainer.get(f"{CONFIRM}?id={own.pk}&id={other.pk}"))
    trainer.post(MANY, {"id": [str(other.pk)], f"round_{other.pk}": 1})
    assert state(other) == "review"
    assert client.get(LIST)["Location"].startswith("/admin/login/")
    nobody = staff("view_draft")
    assert {nobody.get(path).status_code for path in (LIST, page(own), f"{LIST}news/")} == {403}


def test_who_only_looks_is_told_what_and_how_long_and_no_text(staff: Staff) -> None:
    hint = {"hint": "Say it softly", "why": "Fever"}
    draft = make.draft(text=SECRET, subject="A lake", channel="email", dismissed_reason="Told him", **hint)
    Message.objects.create(
        location=draft.location,
        message_id="m",
        contact_id=draft.contact_id,
        direction="inbound",
        channel="sms",
        text="A fever",
        at=timezone.now(),
    )
    viewer = staff("open_inbox", "view_draft")
    for path in (LIST, page(draft)):
        shown = text(viewer.get(path))
        assert f"A text of {len(SECRET)} characters." in shown
        assert "c-1" in shown
        for word in ("lake", "Mira", "ever", "softly", "Told him", 'action="/admin/sync/inbox/drafts/'):
            assert word not in shown.replace("every", ""), (path, word)


def test_texts_of_strangers_are_escaped_everywhere(boss: Client) -> None:
    hostile = '"><img src=x onerror=alert(1)>'
    draft = make.draft(
        text=hostile,
        subject=hostile,
        channel="email",
        why=hostile,
        hint=hostile,
        context={"client": {"first_name": hostile}},
        edited=True,
        written_text="plain",
    )
    Message.objects.create(
        location=draft.location,
        message_id="m",
        contact_id=draft.contact_id,
        direction="inbound",
        channel=hostile[:16],
        text=hostile,
        at=timezone.now(),
    )
    sent = {"id": [str(draft.pk)]}
    pages = [boss.get(LIST), boss.get(page(draft)), boss.get(CONFIRM, sent), boss.post(MANY, sent)]
    pages.append(boss.post(page(draft, "dismiss"), {"reason": " "}))
    pages.append(boss.post(page(draft, "approve"), {"text": hostile, "subject": hostile, "round": 9}))
    for answer in pages:
        # What shows somebody's words is kept nowhere.
        assert "no-store" in answer["Cache-Control"]
        assert "<img src=x" not in text(answer)
        assert "&lt;img src=x" in text(answer)


def test_it_is_approved_as_it_is_and_the_diff_is_kept_where_it_was_changed(
    trainer: Client, settings: Settings
) -> None:
    draft, other = make.draft(), make.draft(text="How are\nyou?", written_text="How are\nyou?")
    assert "Approved." in approve(trainer, draft)
    assert "Approved." in approve(trainer, other, "How are\r\nyou?\r\n")
    assert (state(draft), draft.edited, draft.job is not None) == ("scheduled", False, True)
    assert (state(other), other.edited) == ("scheduled", False)

    changed = make.draft(contact_id="contact-3")
    approve(trainer, changed, "How was <b>your</b> week, Mira?")
    assert (state(changed), changed.edited) == ("scheduled", True)
    job = SyncJob.objects.get(pk=changed.job_id)
    assert job.payload["message"] == "How was <b>your</b> week, Mira?"
    shown = text(trainer.get(page(changed)))
    assert re.search(r'class="code was"[^>]*>How was your week\?<', shown)
    assert re.search(r'class="code will"[^>]*>How was &lt;b&gt;your&lt;/b&gt; week, Mira\?<', shown)
    entry = AuditEntry.objects.filter(action="draft.approve").latest("recorded_at")
    assert entry.target_id == str(changed.pk)


def test_what_was_typed_survives_every_refusal(trainer: Client) -> None:
    draft = make.draft()
    typed = "Come {{ tomorrow }} & bring <shoes>"
    shown = approve(trainer, draft, typed)
    assert "A placeholder in {{ }} is still in the text" in shown
    assert "Come {{ tomorrow }} &amp; bring &lt;shoes&gt;</textarea>" in shown
    assert "There is nothing to send yet" in approve(trainer, draft, "  ")
    long = "x" * 1_601
    assert long in approve(trainer, draft, long)
    assert "Null characters" in approve(trainer, draft, "a\x00b")
    assert state(draft) == "review"
    # It was written anew, and it was decided by somebody else.
    shown = approve(trainer, draft, "My own words", round=draft.round + 1)
    assert "written anew since you opened it" in shown
    assert "My own words</textarea>" in shown
    assert re.search(r'As it is written now</p><p class="draft-text">How was your week\?</p>', shown)
    deciding.dismiss(draft.pk, reason="x", by="staff:9", now=timezone.now())
    shown = approve(trainer, draft, "My own words")
    assert "It is not possible now: dismissed." in shown
    assert "My own words" in shown
    shown = told(trainer, draft, "regenerate", hint="Shorter, please")
    assert "You had typed: Shorter, please" in shown
    assert "You had typed: He called" in told(trainer, draft, "dismiss", reason="He called")
    assert state(draft) == "dismissed"


def test_who_signs_in_after_a_post_comes_to_the_draft_and_not_to_an_address_of_posts(
    trainer: Client, client: Client
) -> None:
    draft = make.draft()
    for verb in ("approve", "regenerate", "snooze", "dismiss"):
        led = client.post(page(draft, verb), {"text": "x"})["Location"]
        assert led == f"/admin/login/?next={page(draft)}"
    assert client.post(MANY)["Location"] == f"/admin/login/?next={LIST}"
    shown = text(trainer.get(page(draft)))
    # The script that keeps what is typed, what it keeps it for, and the offer.
    assert "trainu/typed.js" in shown
    assert f'data-draft="{draft.pk}" data-round="1"' in shown
    assert re.search(r'id="typed" role="status" hidden', shown)
    # What is decided is forgotten, on whichever list that leads to.
    for verb, given in (("dismiss", {"reason": "x"}), ("approve", {"text": "x", "round": 1})):
        one = make.draft(contact_id=f"k-{verb}")
        told_then = told(trainer, one, verb, **given)
        assert f'class="draft-{one.pk} success"' in told_then
        assert "trainu/typed.js" in told_then
    assert f"draft-{draft.pk} success" not in told(trainer, draft, "regenerate", hint="Shorter")


def test_a_stale_one_is_asked_about_again_and_only_for_what_was_shown(trainer: Client) -> None:
    began = timezone.now() - 3 * HOUR
    draft = make.draft(now=began, client_acted_at=began + HOUR, client_act="wrote")
    assert "after this was written" in text(trainer.get(page(draft)))
    shown = approve(trainer, draft, "My own words")
    assert "The client has written since. Look again, then approve." in shown
    assert "Send it anyway" in shown
    assert "As it is written now" not in shown
    assert "My own words</textarea>" in shown
    [seen] = re.findall(r'name="seen_act_at" value="([^"]+)"', shown)
    # Meanwhile they have booked as well.
    Draft.objects.filter(pk=draft.pk).update(client_acted_at=began + 2 * HOUR, client_act="booked")
    shown = approve(trainer, draft, "My own words", seen_act_at=seen)
    assert "has booked, moved or cancelled since" in shown
    assert state(draft) == "review"
    [seen] = re.findall(r'name="seen_act_at" value="([^"]+)"', shown)
    assert "Approved." in approve(trainer, draft, "My own words", seen_act_at=seen)
    assert state(draft) == "scheduled"


def test_each_verb_does_what_it_says_and_leads_back_to_the_list(trainer: Client) -> None:
    failed, draft = make.draft("failed"), make.draft()
    assert escape(errors.words("timeout")) in text(trainer.get(LIST))
    assert "It is being tried again." in told(trainer, failed, "retry")
    assert state(failed) == "waiting"
    there = f"{LIST}?tab=failed&kind=general_reply"
    answer = trainer.post(page(draft, "snooze"), {"length": "4h", "next": there})
    assert answer["Location"] == there
    assert "Snoozed for 4 hours." in text(trainer.get(there))
    assert state(draft) == "review"
    assert draft.snoozed_until is not None
    assert str(draft.pk) not in text(trainer.get(LIST))
    assert str(draft.pk) in text(trainer.get(f"{LIST}?tab=snoozed"))
    assert "back among those to review" in told(trainer, draft, "wake")
    assert "Snooze for one of" in told(trainer, draft, "snooze", length="5h")
    away = trainer.post(page(draft, "snooze"), {"length": "1h", "next": "https://evil.example/"})
    assert away["Location"] == LIST
    approve(trainer, draft)
    assert "Called back." in told(trainer, draft, "recall")
    assert "It is not possible now: needs review." in told(trainer, draft, "recall")
    assert "being written anew" in told(trainer, draft, "regenerate", hint="Shorter")
    assert (state(draft), draft.hint, draft.round) == ("waiting", "Shorter", 2)
    assert "<dt>Asked to be different</dt><dd>Shorter</dd>" in text(trainer.get(page(draft)))
    assert "Dismissed." in told(trainer, draft, "dismiss", reason="He called")
    assert (state(draft), draft.dismissed_reason) == ("dismissed", "He called")


def test_while_all_messages_are_stopped_whoever_approves_is_told(trainer: Client) -> None:
    kill_switch.turn_on("A test", by="staff:9", now=timezone.now())
    stopped = "All messages are stopped for now. It goes when they are let go again."
    draft, other = make.draft(), make.draft(contact_id="k-2")
    assert f"Approved. {stopped}" in approve(trainer, draft)
    assert stopped in text(trainer.get(page(draft)))
    sent = {"id": [str(other.pk)], f"round_{other.pk}": 1}
    assert stopped in text(trainer.post(MANY, sent))
    few = len(asked_again(lambda: trainer.get(f"{LIST}?tab=scheduled")))
    for number in range(4):
        approve(trainer, make.draft(contact_id=f"k-{number + 3}"))
    trainer.get(f"{LIST}?tab=scheduled")
    many = asked_again(lambda: trainer.get(f"{LIST}?tab=scheduled"))
    assert len(many) <= few, "\n".join(many)
    assert sum("killswitch" in sql for sql in many) == 1
    assert text(trainer.get(f"{LIST}?tab=scheduled")).count(stopped) == 6


def test_why_it_came_back_and_not_that_it_was_once_approved_is_on_the_page(trainer: Client) -> None:
    began = timezone.now() - HOUR
    draft = make.draft(now=began)
    approve(trainer, draft)
    assert "<dt>Approved</dt>" in text(trainer.get(page(draft)))
    acted = ClientActed(draft.contact_id, draft.location_id, Draft.ClientAct.WROTE, timezone.now())
    staleness.note([acted], now=timezone.now())
    assert state(draft) == "review"
    shown = text(trainer.get(page(draft)))
    assert "after this was written" in shown
    assert "<dt>Approved</dt>" not in shown


def test_what_could_not_be_sent_is_said_once_and_led_to_by_staff_alone(trainer: Client, boss: Client) -> None:
    draft = make.draft("undelivered")
    shown = text(trainer.get(page(draft)))
    assert shown.count("could not be sent") == 1
    assert "dead letter" not in shown


def test_a_message_about_a_session_that_is_over_says_so_and_is_not_ticked(trainer: Client) -> None:
    now = timezone.now()
    gone, ahead = (
        make.draft(
            kind="booking_reminder",
            contact_id=f"k-{minutes}",
            context={"booking": {"starts_at": (now + timedelta(minutes=minutes)).isoformat()}},
        )
        for minutes in (-1, 60)
    )
    over = "The time of this session has passed"
    assert text(trainer.get(LIST)).count(over) == 1
    assert f"{over}." in text(trainer.get(page(gone)))
    assert over not in text(trainer.get(page(ahead)))
    shown = text(trainer.get(CONFIRM, {"id": [str(gone.pk), str(ahead.pk)]}))
    assert shown.count(over) == 1
    assert f'value="{ahead.pk}" checked' in shown
    assert f'value="{gone.pk}">' in shown


def test_several_are_approved_after_a_page_with_each_text_and_each_outcome_is_said(trainer: Client) -> None:
    began = timezone.now() - 3 * HOUR
    drafts = [make.draft(text=f"Text {number}", contact_id=f"k-{number}") for number in range(3)]
    stale = make.draft(now=began, client_acted_at=began + HOUR, client_act="wrote", text="Old news")
    failed = make.draft("failed")
    ids = [str(one.pk) for one in (*drafts, stale, failed)]
    shown = text(trainer.get(CONFIRM, {"id": ids}))
    for words in ("Text 0", "Text 1", "Text 2", "Old news", "1 of those you ticked can no longer"):
        assert words in shown
    assert f'value="{drafts[0].pk}" checked' in shown
    assert f'value="{stale.pk}">' in shown
    form = dict(re.findall(r'type="hidden" name="((?:round|seen_act_at)_[^"]+)" value="([^"]+)"', shown))
    # Of three, one was written anew since, and one has been decided by somebody else.
    Draft.objects.filter(pk=drafts[1].pk).update(round=2)
    deciding.dismiss(drafts[2].pk, reason="x", by="staff:9", now=timezone.now())
    done = text(trainer.post(MANY, form | {"id": ids}))
    assert done.count("Not approved") == 3
    assert "2 approved, 5 were asked for" in done
    for words in ("It was written anew since you read it.", "It is not possible now: dismissed."):
        assert words in done
    assert [state(one) for one in (*drafts, stale)] == ["scheduled", "review", "dismissed", "scheduled"]
    assert "Nothing was ticked" in text(trainer.post(MANY, form))


def test_no_more_are_approved_at_once_than_anybody_reads(
    trainer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "MOST_AT_ONCE", 2)
    drafts = [make.draft(contact_id=f"k-{number}") for number in range(3)]
    ids = [str(one.pk) for one in drafts]
    assert "Those are too many" in text(trainer.get(CONFIRM, {"id": ids}))
    form = {f"round_{id}": "1" for id in ids}
    trainer.post(MANY, form | {"id": ids})
    assert Draft.objects.filter(state="scheduled").count() == 2
    assert "None was ticked" in text(trainer.get(CONFIRM, {"id": ["x", "\x00"]}))


def test_what_was_dismissed_is_found_newest_first_by_who_may_see_it(
    trainer: Client, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PAGE", 2)
    path, now = f"{LIST}dismissed/", timezone.now()
    own = [make.draft("dismissed", now=now - number * HOUR, text=f"No {number}") for number in range(3)]
    other = make.draft("dismissed", trainer_id="t-2", now=now - 9 * HOUR)
    make.draft(text="Still there")
    assert f'href="{path}"' in text(trainer.get(LIST))
    shown = text(trainer.get(path))
    assert re.findall(r"No \d", shown) == ["No 0", "No 1"]
    assert "Still there" not in shown
    assert "<form id=" not in shown.partition('id="content-main"')[2]
    [following] = re.findall(r'rel="next" href="([^"]+)"', shown)
    shown = text(trainer.get(path + following))
    assert (str(own[2].pk) in shown, str(other.pk) in shown, 'rel="next"' in shown) == (True, False, False)
    assert str(other.pk) in text(boss.get(path + following))


def test_a_filter_says_what_it_wants_and_leaves_the_figures(boss: Client) -> None:
    make.draft("sent", client_id="c-9")
    shown = text(boss.get(f"{LIST}?client=Mira"))
    said = escape("Filter by the client's id, such as c-12, as shown on the draft's page.")
    assert shown.count(said) == 2
    assert shown.count('<span class="tab-count">0</span>') == 5
    assert re.search(r'Sent <span class="tab-count">1<', text(boss.get(f"{LIST}?client=c-9")))
    assert 'tab-count">0<' not in text(boss.get(LIST))


def test_what_waits_is_no_failure(trainer: Client) -> None:
    make.draft("scheduled", held_by="quiet_hours")
    make.draft("undelivered")
    waits = text(trainer.get(f"{LIST}?tab=scheduled"))
    assert 'class="draft-waits"' in waits
    assert "draft-why-not" not in waits
    assert 'class="draft-why-not"' in text(trainer.get(f"{LIST}?tab=failed"))


def test_tabs_and_filters_stand_in_the_address_and_a_bad_one_chooses_nothing(boss: Client) -> None:
    draft = make.draft(client_id="c-9", kind="general_reply")
    other = make.draft(trainer_id="t-2")
    shown = text(boss.get(f"{LIST}?client=c-9&kind=general_reply&age=under_1h&trainer=t-1"))
    assert str(draft.pk) in shown
    assert str(other.pk) not in shown
    assert "?tab=sent&amp;client=c-9&amp;trainer=t-1&amp;kind=general_reply&amp;age=under_1h" in shown
    for bad in ("kind=nope", "date=31.2.2026", "age=1y", f"client={'x' * 65}", "client=%00"):
        shown = text(boss.get(f"{LIST}?{bad}"))
        assert "A filter cannot be read." in shown, bad
        assert str(draft.pk) not in shown, bad
    assert str(draft.pk) in text(boss.get(f"{LIST}?tab=nope"))


def test_it_says_what_is_being_written_and_stops_asking_when_nothing_is(trainer: Client) -> None:
    writing = make.draft("writing")
    assert "1 is being written." in text(trainer.get(LIST))
    assert "It is being written" in text(trainer.get(page(writing)))
    answer = trainer.get(f"{LIST}news/?seen=0")
    assert (answer.status_code, "Something has changed" in text(answer)) == (200, False)
    assert trainer.get(f"{page(writing)}news/").status_code == 204
    Draft.objects.update(state="review", text="There it is")
    answer = trainer.get(f"{LIST}news/?seen=0")
    assert (answer.status_code, "Something has changed" in text(answer)) == (286, True)
    assert trainer.get(f"{page(writing)}news/")["HX-Refresh"] == "true"
    assert Client().get(f"{LIST}news/")["HX-Refresh"] == "true"


def test_staff_are_led_from_a_draft_to_its_job_dead_letter_and_trace(boss: Client, staff: Staff) -> None:
    draft = make.draft()
    approved = deciding.approve(draft.pk, by="staff:1", now=datetime(2026, 11, 23, 12, tzinfo=UTC))
    letters.died([death(approved.job_id, subject="message.send")], now=timezone.now())
    letter = DeadLetter.objects.get(job=approved.job_id)
    Draft.objects.filter(pk=draft.pk).update(state="undelivered")
    links = [f"/syncjob/{approved.job_id}/", f"/deadletter/{letter.pk}/", f"/trace/{draft.correlation_id}/"]
    shown = text(boss.get(page(draft)))
    narrow = text(staff("open_inbox", "view_draft").get(page(draft)))
    for link in links:
        assert link in shown, link
        assert link not in narrow, link
    # And back, for who may open it.
    elsewhere = [
        f"/admin/sync/syncjob/{approved.job_id}/change/",
        f"/admin/sync/deadletter/{letter.pk}/change/",
    ]
    User.objects.filter(username="nora").delete()
    keeper = staff("view_syncjob", "view_deadletter", "view_draft")
    for path in elsewhere:
        assert page(draft) in text(boss.get(path)), path
        assert page(draft) not in text(keeper.get(path)), path


def test_without_a_language_model_staff_are_told_and_trainers_are_not(
    boss: Client, trainer: Client, settings: Settings
) -> None:
    settings.LLM_MODEL = ""
    assert "No language model is set up" in text(boss.get(LIST))
    assert "No language model" not in text(trainer.get(LIST))
    settings.LLM_MODEL = "gpt"
    assert "No language model" not in text(boss.get(LIST))


def test_a_trainer_has_one_page_and_a_frame_without_what_is_not_theirs(
    trainer: Client, boss: Client, staff: Staff
) -> None:
    make.draft("failed", trainer_id="t-2")
    assert trainer.get("/admin/")["Location"] == LIST
    shown = text(trainer.get(LIST))
    links = set(re.findall(r'<li>\s*<a href="([^"]+)"', shown))
    assert links <= {LIST, "/admin/sync/digests/"}
    for part in ('class="badge"', 'id="finder"', "Correlation id", ">Home<", "Overview"):
        assert part not in shown, part
    assert trainer.get("/admin/overview/").status_code == 200
    # Who works drafts beside other things has a Home.
    assert staff("open_inbox", "work_draft", "view_draft").get("/admin/").status_code == 200
    cache.clear()
    home = text(boss.get("/admin/"))
    assert "1 draft could not be written" in home
    assert 'class="badge">1<' in home
    Group.objects.get(name=roles.TRAINER.name).permissions.clear()
    assert "no role has been given to you yet" in text(trainer.get("/admin/"))


def test_an_account_without_a_trainer_is_told_so(staff: Staff) -> None:
    assert "No trainer is linked with your account" in text(staff("open_inbox", "work_draft").get(LIST))


def test_a_login_lets_its_account_in_and_its_end_takes_it_out_of_the_group(
    boss: Client, admin_user: User
) -> None:
    user = User.objects.create_user("sam")
    make.draft(text="For Mira")
    wrong = [{"username": "nobody", "trainer_id": "t-1"}]
    wrong += [{"username": "sam", "trainer_id": id} for id in ("", "bad id !", "-t", "t/1", "tü")]
    for given in wrong:
        assert boss.post(f"{LOGINS}add/", given).status_code == 200, given
    assert boss.post(f"{LOGINS}add/", {"username": "sam", "trainer_id": "t-1"}).status_code == 302
    assert "already" in text(boss.post(f"{LOGINS}add/", {"username": "sam", "trainer_id": "t-2"}))
    login = TrainerLogin.objects.get(user=user)
    assert "For Mira" in text(signed_in(User.objects.get(pk=user.pk)).get("/admin/", follow=True))
    assert "t-1" in text(boss.get(LOGINS))
    assert "An id has letters" in text(boss.post(f"{LOGINS}{login.pk}/change/", {"trainer_id": "t 3"}))
    assert boss.post(f"{LOGINS}{login.pk}/change/", {"trainer_id": "t-3"}).status_code == 302
    assert boss.post(f"{LOGINS}{login.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not user.groups.exists()
    assert signed_in(User.objects.get(pk=user.pk)).get(LIST).status_code == 403
    entries = AuditEntry.objects.filter(actor_id=f"staff:{admin_user.pk}").order_by("recorded_at")
    assert set(entries.values_list("action", "target_type")) >= {
        ("role.change", "auth.user"),
        ("admin.add", "sync.trainerlogin"),
        ("admin.change", "sync.trainerlogin"),
        ("admin.delete", "sync.trainerlogin"),
        ("admin.change", "auth.user"),
    }


@pytest.mark.parametrize(("path", "most"), [(lambda draft: LIST, 12), (page, 12)], ids=["list", "page"])
def test_pages_ask_as_much_for_many_drafts_as_for_one(
    boss: Client, path: Callable[[Draft], str], most: int
) -> None:
    draft = make.draft()
    few = len(asked_again(lambda: boss.get(path(draft))))
    for number in range(8):
        make.draft("failed", trainer_id=f"t-{number}", contact_id="contact-1")
        DraftAttempt.objects.create(draft=draft, round=1 + number, number=1, began_at=timezone.now())
        Message.objects.create(
            location=draft.location,
            message_id=f"m-{number}",
            contact_id=draft.contact_id,
            direction="inbound",
            channel="sms",
            at=timezone.now(),
        )
    many = asked_again(lambda: boss.get(path(draft)))
    assert len(many) <= few, "\n".join(many)
    assert len(many) <= most, "\n".join(many)
    assert not [sql for sql in many if "COUNT(*)" in sql and "sync_draft" in sql and "LIMIT" not in sql]
