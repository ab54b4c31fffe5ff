"""The kill switch for staff and the API: who may see it, who may turn it, and what all pages say of it."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.template import Context, RequestContext, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from observability import api_keys
from observability.models import AuditEntry
from sync import jobs, kill_switch
from sync.models import KillSwitch, Location
from tests.conftest import Staff
from trainu.admin_site import site
from trainu.moments import Moment

pytestmark = pytest.mark.django_db
PAGE = "/admin/sync/kill-switch/"
ON, OFF = f"{PAGE}on/", f"{PAGE}off/"
API = "/api/sync/kill-switch"
WHY = "A campaign went to the wrong list"


def turn_on(reason: str = WHY, by: str = "staff:1") -> None:
    kill_switch.turn_on(reason, by=by, now=timezone.now())


def is_on() -> bool:
    return kill_switch.state().is_on


def held_message() -> None:
    Location.objects.create(pk="loc-1", name="Studio", created_at=timezone.now())
    payload = {"channel": "SMS", "contact_id": "c-1", "message": "See you at nine."}
    jobs.enqueue("message.send", "loc-1", payload)


def test_the_page_is_for_who_may_view_it_and_offers_turning_to_who_may(client: Client, staff: Staff) -> None:
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    shown = staff("view_killswitch").get(PAGE).content.decode()
    assert "Messages go out" in shown
    assert "needs a permission that you do not have" in shown
    assert ON not in shown


def test_nobody_else_sees_it(staff: Staff) -> None:
    assert staff("view_location", "pause_location").get(PAGE).status_code == 403


@pytest.mark.parametrize(("address", "stands"), [(ON, False), (OFF, True)])
def test_turning_wants_a_post_a_token_of_the_form_and_its_permission(
    boss: Client, staff: Staff, address: str, stands: bool
) -> None:
    """A GET is 405, another permission 403, a forged form 403."""
    if stands:
        turn_on()
    assert boss.get(address).status_code == 405
    other = staff("view_killswitch", "pause_location")
    assert other.post(address, {"reason": "x"}).status_code == 403
    assert other.get(address).status_code == 403
    assert Client().post(address, {"reason": "x"})["Location"].startswith("/admin/login/")
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = boss.cookies
    assert forged.post(address, {"reason": "x"}).status_code == 403
    for reason in ("", " ", "a\x00b"):
        assert "Say why" in boss.post(address, {"reason": reason}, follow=True).content.decode()
    assert is_on() == stands


def test_staff_stop_all_messages_and_let_them_go_again(boss: Client, admin_user: User) -> None:
    held_message()
    shown = boss.post(ON, {"reason": WHY}, follow=True).content.decode()
    for part in ("No message goes out", WHY, "by admin", "<strong>1</strong> due", "Let messages go again"):
        assert part in shown, part
    again = boss.post(ON, {"reason": "Me too"}, follow=True).content.decode()
    assert "It was on already" in again
    assert "Me too" not in again
    shown = boss.post(OFF, {"reason": "Mended"}, follow=True).content.decode()
    for part in ("Messages go out", "Mended", "Stop all messages"):
        assert part in shown, part
    assert "It was off already" in boss.post(OFF, {"reason": "x"}, follow=True).content.decode()
    entries = AuditEntry.objects.filter(target_type="sync.killswitch").order_by("recorded_at")
    assert list(entries.values_list("action", "reason", "actor_id")) == [
        ("kill_switch.on", WHY, f"staff:{admin_user.pk}"),
        ("kill_switch.off", "Mended", f"staff:{admin_user.pk}"),
    ]


def test_while_it_is_on_every_page_says_so_and_the_home_page_asks_for_an_end(boss: Client) -> None:
    elsewhere = "/admin/sync/location/"
    assert "kill switch was turned" not in boss.get(elsewhere).content.decode()
    turn_on()
    shown = boss.get(elsewhere).content.decode()
    assert "No message goes out: the kill switch was turned on just now. " + WHY in shown
    assert f'<p class="banner banner-bad"><a href="{PAGE}">' in shown
    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(username="admin")
    [need] = [one for one in site.needs(request) if one.url == PAGE]
    assert (need.urgency, "0 messages are due" in need.detail) == (1, True)


def test_who_may_not_see_it_is_told_nothing_of_it(staff: Staff) -> None:
    turn_on()
    shown = staff("view_location").get("/admin/sync/location/").content.decode()
    assert WHY not in shown
    assert PAGE not in shown


def test_the_line_above_pages_costs_one_query(staff: Staff) -> None:
    reader = staff("view_killswitch", "view_location")
    turn_on()
    with CaptureQueriesContext(connection) as queries:
        reader.get("/admin/sync/location/")
    assert len([one for one in queries if "sync_killswitch" in one["sql"]]) == 1


def test_the_page_costs_the_same_however_much_is_held(staff: Staff) -> None:
    reader = staff("view_killswitch", "turn_killswitch")
    held_message()
    turn_on()
    costs = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            reader.get(PAGE)
        costs.append(len(queries))
        for number in range(30):
            payload = {"channel": "SMS", "contact_id": f"c-{number}", "message": "See you at nine."}
            jobs.enqueue("message.send", "loc-1", payload)
    # Session, user, two of permissions; the line above the page, the switch, what it holds, who turned it.
    assert costs == [8, 8]


@pytest.fixture
def history() -> Iterator[None]:
    """Somebody who tells what was done, as the audit log does."""

    def told(kind: str, id: str) -> list[Moment]:
        if (kind, id) != kill_switch.TARGET:
            return []
        by = f"staff:{User.objects.get(username='admin').pk}"
        return [Moment(timezone.now(), "audit", "kill_switch.on", detail="<i>Why</i>", by=by)]

    site.register_history(told, permission="")
    yield
    site._histories.pop()


def test_the_page_tells_who_turned_it(boss: Client, history: None) -> None:
    shown = boss.get(PAGE).content.decode().partition("Who turned it")[2]
    for part in ("kill_switch.on", "&lt;i&gt;Why", "<td>admin</td>"):
        assert part in shown, part


def card(user: User) -> str:
    request = RequestFactory().get("/admin/")
    request.user = user
    template = Template("{% load kill_switch %}{% kill_switch_card %}")
    context: Context = RequestContext(request, {})
    return template.render(context)


def test_other_pages_show_it_as_a_card_to_who_may_see_it(admin_user: User) -> None:
    assert "Messages go out." in card(admin_user)
    turn_on(by=f"staff:{admin_user.pk}")
    shown = card(admin_user)
    for part in ("On", WHY, "by admin", "0 held", PAGE):
        assert part in shown, part
    assert card(User.objects.create_user("nora", is_staff=True)).strip() == ""


def test_a_reason_is_shown_as_text_and_its_unseen_marks_are_spelt_out(boss: Client) -> None:
    KillSwitch.objects.create(
        is_on=True, by="staff:<b>", reason="<script>alert(1)</script>\u202egpj", changed_at=timezone.now()
    )
    for path in (PAGE, "/admin/sync/location/"):
        shown = boss.get(path).content.decode()
        assert "<script>alert" not in shown
        assert "<b>" not in shown.partition('id="content-main"')[2].partition("</main>")[0]
        assert "\u202e" not in shown


def ask(method: str, *scopes: str, body: str = "") -> Any:
    key = api_keys.issue(f"app-{uuid4()}", scopes)[1]
    headers = {"Authorization": f"Bearer {key}"}
    return Client().generic(method, API, body, "application/json", headers=headers)


def test_the_api_turns_it_under_a_scope_of_its_own(db: None) -> None:
    stop = '{"is_on": true, "reason": "Too many at once"}'
    assert ask("POST", "sync:operate", "sync:read", body=stop).status_code == 403
    assert ask("GET", "sync:kill").status_code == 403
    assert not is_on()
    turned = ask("POST", "sync:kill", body=stop).json()
    assert (turned["is_on"], turned["changed"], turned["reason"]) == (True, True, "Too many at once")
    assert turned["by"].startswith("key:")
    assert ask("POST", "sync:kill", body='{"is_on": true, "reason": "Again"}').json()["changed"] is False
    stands = ask("GET", "sync:read").json()
    assert (stands["is_on"], stands["reason"], stands["held"]) == (True, "Too many at once", 0)
    for wrong in ('{"is_on": false, "reason": " "}', '{"is_on": false}', '{"is_on": false, "reason": 1}'):
        assert ask("POST", "sync:kill", body=wrong).status_code == 422
    assert is_on()
    assert ask("POST", "sync:kill", body='{"is_on": false, "reason": "Mended"}').json()["is_on"] is False
    entries = AuditEntry.objects.filter(target_type="sync.killswitch").order_by("recorded_at")
    assert list(entries.values_list("action", flat=True)) == ["kill_switch.on", "kill_switch.off"]
    assert entries[0].actor_id == turned["by"]
