"""Every verb of the admin, those of tomorrow too: found in the URLs, and held to the same five promises."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.views.decorators.http import require_POST

from tests.conftest import Staff
from trainu import roles
from trainu.roles import ADMIN, LEAD, OPERATOR, Role

pytestmark = pytest.mark.django_db

NOWHERE = "0"
# Who may what, written a second time: from which role on a verb's permission is held.
FROM: dict[str, Role] = {
    "sync.redrive_deadletter": OPERATOR,
    "sync.discard_deadletter": OPERATOR,
    "sync.assign_deadletter": OPERATOR,
    "sync.retry_syncjob": OPERATOR,
    "sync.add_savedview": OPERATOR,
    "sync.work_draft": OPERATOR,
    "observability.reingest_quarantinegroup": OPERATOR,
    "observability.work_incident": OPERATOR,
    "sync.run_bulkoperation": LEAD,
    "sync.edit_deadletter": LEAD,
    "sync.reveal_deadletter": LEAD,
    "sync.pause_location": LEAD,
    "sync.turn_killswitch": LEAD,
    "sync.delete_savedview": LEAD,
    "sync.start_reconciliation": LEAD,
    "sync.change_location": LEAD,
    "observability.pause_forwarder": LEAD,
    "observability.add_silence": LEAD,
    "observability.resend_notification": LEAD,
    "sync.change_credential": ADMIN,
    "sync.add_workflowaddress": ADMIN,
    "sync.change_workflowaddress": ADMIN,
    "observability.export_auditentry": ADMIN,
    "observability.purge_retentionpolicy": ADMIN,
    "observability.change_channel": ADMIN,
}
# Lists to which a verb leads who comes back to it without its form.
LED_BACK = {"/admin/sync/kill-switch/held/"}
_INNER = require_POST(lambda request: None).__code__


def patterns(of: Any) -> Iterator[URLPattern]:
    for one in of.url_patterns:
        if isinstance(one, URLResolver):
            yield from patterns(one)
        else:
            yield one


def is_verb(view: Any) -> bool:
    """Whether `require_POST` stands somewhere around a view."""
    while view is not None:
        code = getattr(view, "__code__", None)
        if code is _INNER and ["POST"] in [cell.cell_contents for cell in view.__closure__]:
            return True
        view = getattr(view, "__wrapped__", None)
    return False


def admin_verbs() -> dict[str, URLPattern]:
    [admin] = [one for one in get_resolver().url_patterns if getattr(one, "namespace", None) == "admin"]
    return {str(one.name): one for one in patterns(admin) if is_verb(one.callback)}


VERBS = admin_verbs()


def is_on_record(name: str) -> bool:
    return bool(VERBS[name].pattern.converters)


def address(name: str) -> str:
    arguments = dict.fromkeys(VERBS[name].pattern.converters, NOWHERE)
    return reverse(f"admin:{name}", kwargs=arguments)


@pytest.fixture
def member() -> dict[str, Client]:
    """A browser for a member of each role."""
    clients = {}
    for role in roles.ROLES:
        user = User.objects.create_user(role.label, is_staff=True)
        user.groups.add(Group.objects.get(name=role.name))
        clients[role.name] = Client()
        clients[role.name].force_login(user)
    return clients


def test_the_verbs_that_are_known_are_found() -> None:
    assert {
        "sync_location_pause",
        "sync_location_token",
        "sync_connect",
        "observability_quarantinegroup_reingest",
        "observability_retentionpolicy_purge",
        "forwarding_pause",
        "audit_export",
    } <= VERBS.keys()


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_says_which_permission_it_needs_and_a_role_holds_it(name: str) -> None:
    permission = getattr(VERBS[name].callback, "permission", "")
    assert permission, "Declare it by `verb_path`, or by `register_view` with a permission."
    assert permission in FROM, f"Say in FROM from which role on {permission} is held."


def test_nothing_is_done_by_a_get(boss: Client) -> None:
    for name in VERBS:
        answer = boss.get(address(name))
        # Or it leads back to where its form was.
        assert answer.status_code == 405 or answer.headers.get("Location") in LED_BACK, name


def test_nothing_is_done_by_somebody_who_is_not_signed_in(client: Client) -> None:
    for name in VERBS:
        assert client.post(address(name))["Location"].startswith("/admin/login/"), name


def test_nothing_is_done_without_a_permission(staff: Staff) -> None:
    nobody = staff()
    for name in VERBS:
        assert nobody.post(address(name)).status_code == 403, name


def test_nothing_is_done_for_another_site(admin_user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    for name in VERBS:
        assert strict.post(address(name)).status_code == 403, name


def test_nothing_is_done_to_a_record_that_is_not_there(boss: Client) -> None:
    for name in filter(is_on_record, VERBS):
        assert boss.post(address(name)).status_code == 404, name


def test_each_role_may_what_its_name_says_and_no_more(member: dict[str, Client]) -> None:
    order = [role.name for role in roles.ROLES]
    for name in VERBS:
        needed = order.index(FROM[VERBS[name].callback.permission].name)  # type: ignore[attr-defined]
        for rank, role in enumerate(order):
            if rank < needed:
                assert member[role].post(address(name)).status_code == 403, (name, role)
            elif is_on_record(name):
                # Let in, and told that there is no such record.
                assert member[role].post(address(name)).status_code == 404, (name, role)
