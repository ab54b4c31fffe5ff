"""Workflow addresses: known by a secret that is shown once, bound to a location, and written down nowhere."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import sentry_sdk
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import resolve

from observability import api_keys, timings
from observability.errors import sentry
from observability.models import AuditEntry
from sync import signals
from sync.models import Location, Webhook, WorkflowAddress
from sync.webhooks import pace, workflow
from tests import servers
from tests.conftest import Staff
from tests.observability.test_log_lines import Collector, collected
from tests.servers import SentryServer
from tests.sync.webhooks import LOCATION, NOW, appointment
from tests.sync.webhooks import workflow as posted
from trainu import secret_paths
from trainu.problem import Problem

__all__ = ["collected"]


@pytest.fixture
def location(db: None) -> Location:
    return Location.objects.create(pk=LOCATION, name="Studio", created_at=NOW)


@pytest.fixture
def path(location: Location) -> str:
    return workflow.issue_address(location, now=NOW).path


def post(client: Client, path: str, document: Any) -> Any:
    raw = document if isinstance(document, bytes) else orjson.dumps(document)
    return client.post(path, raw, content_type="application/json")


def secret_of(path: str) -> str:
    return path.rpartition("/")[2]


def test_what_a_workflow_posts_is_stored_for_its_location(client: Client, path: str) -> None:
    assert post(client, path, posted()).json() == {"stored": True}
    assert post(client, path, posted()).json() == {"stored": False, "reason": "duplicate"}
    stored = Webhook.objects.get()
    assert (stored.kind, stored.topic, stored.location_id) == ("workflow", "workflow_appointment", LOCATION)
    assert (stored.contact_id, stored.object_id) == ("9NkT25Vor1v4aQatFsv2", "0007BWpSzSwfiuSl0tR2")


@pytest.mark.parametrize(
    ("left_out", "topic"),
    [(("calendar",), "workflow_contact"), (("calendar", "contact_id"), "workflow_other")],
)
def test_its_topic_is_what_it_is_about(client: Client, path: str, left_out: Any, topic: str) -> None:
    post(client, path, {name: value for name, value in posted().items() if name not in left_out})
    assert Webhook.objects.get().topic == topic


def test_a_secret_is_shown_once_and_kept_as_a_digest(location: Location) -> None:
    issued = workflow.issue_address(location, now=NOW)
    secret = secret_of(issued.path)
    assert len(secret) > 40
    assert secret not in repr(issued)
    kept = repr(list(WorkflowAddress.objects.values()))
    assert secret not in kept
    assert secret_of(workflow.issue_address(location, now=NOW).path) != secret


def test_a_wrong_or_revoked_secret_is_401(client: Client, location: Location, path: str) -> None:
    second = workflow.issue_address(location, now=NOW)
    assert workflow.revoke_address(WorkflowAddress.objects.exclude(pk=second.address.pk).get().pk, now=NOW)
    assert not workflow.revoke_address(10**9, now=NOW)
    for wrong in (path, path[:-1], f"{path}x", f"{workflow.PATH}{'x' * 5_000}", f"{workflow.PATH}%00"):
        answer = post(client, wrong, posted())
        assert (answer.status_code, answer.json()["code"]) == (401, "unknown_address")
    assert post(client, second.path, posted()).json() == {"stored": True}


def test_a_copied_workflow_takes_its_address_along_and_is_refused(client: Client, path: str) -> None:
    other = posted(location={"id": "otg8dTQqGLh3Q6iQI55w"})
    answer = post(client, path, other)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_location")
    assert Webhook.objects.count() == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"first_name=Mira"])
def test_what_is_no_object_is_400_and_not_kept(client: Client, path: str, body: bytes) -> None:
    assert post(client, path, body).status_code == 400
    assert Webhook.objects.count() == 0


def test_a_body_of_more_than_a_mebibyte_is_413(client: Client, path: str) -> None:
    assert post(client, path, b"x" * (1024 * 1024 + 1)).status_code == 413


def test_a_workflow_in_a_loop_is_slowed_down_and_no_other_with_it(
    client: Client, location: Location, path: str
) -> None:
    address = WorkflowAddress.objects.get()
    uses = 0
    while not pace.wait_s(address.pk, at=time.monotonic() + 2):
        uses += 1
    assert uses >= 200
    answer = post(client, path, posted())
    assert (answer.status_code, answer.json()["code"]) == (429, "too_fast")
    assert 1 <= int(answer["Retry-After"]) <= 3
    assert post(client, workflow.issue_address(location, now=NOW).path, posted()).status_code == 200


def test_the_same_state_an_hour_later_is_no_resend(location: Location, path: str) -> None:
    """A body has no moment of its own: confirmed, canceled, confirmed are the same bytes twice."""
    secret, raw = secret_of(path), orjson.dumps(posted())
    at = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)
    times = [at, at + timedelta(minutes=50), at + timedelta(minutes=60), at + timedelta(days=1)]
    stored = [workflow.accept(raw, secret, now=now).stored for now in times]
    assert stored == [True, False, True, True]


def test_the_same_body_at_two_locations_is_two_webhooks(path: str) -> None:
    other = Location.objects.create(pk="otg8dTQqGLh3Q6iQI55w", name="Hall", created_at=NOW)
    raw = orjson.dumps({"contact_id": "9NkT25Vor1v4aQatFsv2"})
    for one in (path, workflow.issue_address(other, now=NOW).path):
        assert workflow.accept(raw, secret_of(one), now=NOW).stored


def test_a_signed_webhook_has_no_business_here(location: Location) -> None:
    with pytest.raises(Problem, match="unknown_address"):
        workflow.accept(orjson.dumps(appointment()), "", now=NOW)


# --- the secret is written down nowhere ---------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/webhooks/ghl/workflow/abc", "/api/webhooks/ghl/workflow/{secret}"),
        ("/api/webhooks/ghl/workflow/abc/def", "/api/webhooks/ghl/workflow/{secret}"),
        ("//API/Webhooks/GHL/workflow/abc\ndef", "//API/Webhooks/GHL/workflow/{secret}"),
        ("/api/webhooks/ghl", "/api/webhooks/ghl"),
        ("/admin/", "/admin/"),
    ],
)
def test_a_path_is_shown_without_its_secret(path: str, shown: str) -> None:
    assert secret_paths.shown(path) == shown


@pytest.fixture
def sentry_server(settings: Any) -> Iterator[SentryServer]:
    with servers.sentry() as running:
        settings.SENTRY_DSN = running.dsn
        settings.SENTRY_RELEASE = "trainu@1.2.3"
        sentry.configure()
        yield running
        sentry_sdk.get_client().close(timeout=2)
        sentry_sdk.get_global_scope().set_client(None)


def test_whatever_comes_of_a_request_its_secret_is_on_no_line_and_not_at_sentry(
    client: Client, location: Location, collected: Collector, sentry_server: SentryServer
) -> None:
    def break_down(**_signal: Any) -> None:
        raise RuntimeError("the observer is broken")

    # One that looks like no key, so that nothing but its place tells that it is a secret. Sentry shows the
    # lines of this file, so it must not stand here.
    secret = "-".join(("moss", "stone", "brick", "lane"))
    address = workflow.issue_address(location, now=NOW).address
    WorkflowAddress.objects.filter(pk=address.pk).update(digest=workflow._digest(secret))
    path = f"{workflow.PATH}{secret}"
    statuses = [post(client, path, posted()).status_code, post(client, path, b"[]").status_code]
    signals.webhooks_stored.connect(break_down)
    statuses.append(post(client, path, posted(country="DE")).status_code)
    signals.webhooks_stored.disconnect(break_down)
    workflow.revoke_address(address.pk, now=NOW)
    statuses.append(post(client, path, posted()).status_code)
    statuses += [client.get(path).status_code, post(client, f"{path}/x", {}).status_code]
    statuses.append(post(client, f"/{path}", {}).status_code)
    assert statuses == [200, 400, 429, 401, 405, 404, 404]
    sentry_sdk.flush(timeout=5)
    assert len(sentry_server.events) == 1
    assert len(collected.named("request_finished")) == 6
    for text in (*collected.texts, sentry_server.text):
        assert secret not in text
    assert "{secret}" in "".join(collected.texts)


def test_measurements_know_the_route_alone(rf: RequestFactory) -> None:
    request = rf.post(f"{workflow.PATH}moss-stone-brick-lane")
    request.resolver_match = resolve(request.path)
    assert timings.route_of(request) == "/api/webhooks/ghl/workflow/<secret>"


# --- issued and revoked by staff, and by the API -------------------------------------------------

PAGE = f"/admin/sync/location/{LOCATION}/"
ISSUE, HERE = f"{PAGE}issue/", f"{PAGE}change/"


def revoking(number: int) -> str:
    return f"/admin/sync/workflowaddress/{number}/revoke/"


def audited() -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.filter(target_type="sync.workflowaddress").order_by("recorded_at")
    return list(found.values_list("action", "target_id", "actor_id"))


def test_staff_issue_an_address_which_is_shown_once_and_works(
    boss: Client, admin_user: User, location: Location
) -> None:
    answer = boss.post(ISSUE)
    address = answer.context["address"]
    assert address.startswith("http://testserver/api/webhooks/ghl/workflow/trainu_")
    assert address in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert post(Client(), address.removeprefix("http://testserver"), posted()).json() == {"stored": True}
    row = WorkflowAddress.objects.get()
    assert audited() == [("workflow_address.issue", str(row.pk), f"staff:{admin_user.pk}")]
    shown = boss.get(HERE).content.decode() + boss.get("/admin/sync/workflowaddress/").content.decode()
    assert f"Address {row.pk}" in shown
    assert "posted last" in shown
    assert secret_of(address) not in shown
    assert secret_of(address) not in repr(list(AuditEntry.objects.values()))


def test_staff_revoke_an_address_once_they_say_that_they_mean_it(boss: Client, path: str) -> None:
    row = WorkflowAddress.objects.get()
    answer = boss.post(revoking(row.pk), follow=True)
    assert "Nothing was revoked" in answer.content.decode()
    assert post(Client(), path, posted()).status_code == 200
    answer = boss.post(revoking(row.pk), {"confirm": "yes"}, follow=True)
    assert answer.redirect_chain[-1][0] == HERE
    assert "Revoked" in answer.content.decode()
    assert post(Client(), path, posted()).status_code == 401
    again = boss.post(revoking(row.pk), {"confirm": "yes"}, follow=True)
    assert "had been revoked already" in again.content.decode()
    assert [action for action, *_ in audited()] == ["workflow_address.issue", "workflow_address.revoke"]


@pytest.mark.parametrize(
    ("verb", "permission"), [("issue", "add_workflowaddress"), ("revoke", "change_workflowaddress")]
)
def test_issuing_and_revoking_want_a_post_a_token_of_the_form_and_their_permission(
    boss: Client, staff: Staff, path: str, verb: str, permission: str
) -> None:
    """A GET is 405, another permission 403, a record that is not there 404, a forged form 403."""
    row = WorkflowAddress.objects.get()
    address, nowhere = {
        "issue": (ISSUE, "/admin/sync/location/nowhere/issue/"),
        "revoke": (revoking(row.pk), revoking(row.pk + 1)),
    }[verb]
    others = {"view_location", "change_location", "view_workflowaddress", "add_workflowaddress"}
    others |= {"change_workflowaddress"}
    assert boss.get(address).status_code == 405
    assert staff(*(others - {permission})).post(address, {"confirm": "yes"}).status_code == 403
    assert boss.post(nowhere, {"confirm": "yes"}).status_code == 404
    assert Client().post(address)["Location"].startswith("/admin/login/")
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = boss.cookies
    assert forged.post(address, {"confirm": "yes"}).status_code == 403
    assert list(WorkflowAddress.objects.values_list("pk", "revoked_at")) == [(row.pk, None)]


def test_who_may_only_see_addresses_is_offered_no_verb(staff: Staff, path: str) -> None:
    shown = staff("view_location", "view_workflowaddress").get(HERE).content.decode()
    assert "Workflow addresses" in shown
    assert ISSUE not in shown
    assert "revoke" not in shown


def test_a_location_with_many_addresses_shows_the_newest_and_leads_to_all(
    boss: Client, location: Location, django_assert_num_queries: Any
) -> None:
    for number in range(25):
        workflow.issue_address(location, now=NOW + timedelta(minutes=number))
    answer = boss.get(HERE)
    assert len(answer.context["workflow"].addresses) == 20
    everything = f"/admin/sync/workflowaddress/?location__id__exact={LOCATION}"
    assert everything in answer.content.decode()
    assert len(boss.get(everything).context["cl"].result_list) == 25


def test_the_api_issues_lists_and_revokes_under_the_same_checks(location: Location, path: str) -> None:
    first = WorkflowAddress.objects.get().pk
    row, key = api_keys.issue("app", ["sync:operate", "sync:read"], limit_per_minute=0)
    _, reader = api_keys.issue("reader", ["sync:read", "sync:write"], limit_per_minute=0)
    here = f"/api/sync/locations/{LOCATION}/workflow-addresses"

    def ask(method: str, at: str, with_key: str = key) -> Any:
        return Client().generic(method, at, headers={"Authorization": f"Bearer {with_key}"})

    assert [ask("POST", here, reader).status_code, ask("DELETE", f"{here}/{first}", reader).status_code] == [
        403,
        403,
    ]
    issued = ask("POST", here)
    assert (issued.status_code, issued["Cache-Control"]) == (201, "no-store")
    address, number = issued.json()["address"], issued.json()["id"]
    inside = address.removeprefix("http://testserver")
    assert post(Client(), inside, posted()).json() == {"stored": True}
    listed = ask("GET", here, reader)
    assert {one["id"] for one in listed.json()} == {first, number}
    assert secret_of(address) not in listed.text
    for _ in range(2):
        revoked = ask("DELETE", f"{here}/{number}")
        assert revoked.json()["revoked_at"] is not None
    assert post(Client(), inside, posted()).status_code == 401
    assert audited()[1:] == [
        ("workflow_address.issue", str(number), f"key:{row.pk}"),
        ("workflow_address.revoke", str(number), f"key:{row.pk}"),
    ]
    other = Location.objects.create(pk="other", name="Hall", created_at=NOW)
    elsewhere = here.replace(LOCATION, other.pk)
    for method, at in (
        ("POST", here.replace(LOCATION, "nowhere")),
        ("GET", here.replace(LOCATION, "nowhere")),
        ("DELETE", f"{elsewhere}/{first}"),
        ("DELETE", f"{here}/{number + 1}"),
    ):
        assert ask(method, at).status_code == 404
    assert WorkflowAddress.objects.get(pk=first).revoked_at is None
