"""The four roles: what they hold, that each page is somebody's, and that nobody makes themselves more."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.conftest import Staff
from trainu import navigation, people, roles
from trainu.admin_site import site
from trainu.demo import world

pytestmark = pytest.mark.django_db


def held(name: str) -> set[str]:
    rows = Permission.objects.filter(group__name=name).values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def existing() -> set[str]:
    rows = Permission.objects.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def test_every_permission_that_a_role_names_exists() -> None:
    for role in roles.EVERY:
        assert role.permissions - existing() == set(), role.name


def test_after_a_migration_the_groups_hold_exactly_what_the_table_says() -> None:
    for role in roles.EVERY:
        assert held(role.name) == role.permissions


def test_each_role_may_what_the_one_before_may_and_more() -> None:
    for less, more in zip(roles.ROLES, roles.ROLES[1:], strict=False):
        assert less.permissions < more.permissions


def test_a_viewer_sees_all_of_sync_and_observability_and_only_sees() -> None:
    views = {one for one in existing() if ".view_" in one and one.startswith(("sync.", "observability."))}
    assert views <= roles.VIEWER.permissions
    assert all(".view_" in one for one in roles.VIEWER.permissions - {"sync.open_inbox"})


def test_a_trainer_may_nothing_but_work_in_the_inbox() -> None:
    assert roles.TRAINER.permissions == {"sync.open_inbox", "sync.work_draft"}


def test_no_role_writes_a_schedule_or_what_only_the_service_writes() -> None:
    forbidden = {"django_q.add_schedule", "django_q.change_schedule", "sync.change_syncjob"}
    assert not forbidden & roles.ADMIN.permissions


def test_every_page_of_the_admin_is_held_by_a_role() -> None:
    needed = {item.permission for section in navigation.SECTIONS for item in section.items}
    needed |= {f"{model._meta.app_label}.view_{model._meta.model_name}" for model in admin.site._registry} | {
        getattr(view, "permission", "") for _, view, *_ in site._views
    }
    held_by_all = set().union(*(role.permissions for role in roles.ROLES))
    assert needed - {""} <= held_by_all


def test_what_was_changed_by_hand_is_set_right_by_the_next_migration() -> None:
    group = Group.objects.get(name=roles.VIEWER.name)
    group.permissions.add(Permission.objects.get(codename="turn_killswitch"))
    group.permissions.remove(Permission.objects.get(codename="view_deadletter"))
    own = Group.objects.create(name="Night shift")
    own.permissions.add(Permission.objects.get(codename="view_group"))

    last = list(apps.get_app_configs())[-1]
    roles.after_migration(sender=apps.get_app_config("auth"))
    assert held(roles.VIEWER.name) != roles.VIEWER.permissions
    roles.after_migration(sender=last)

    assert held(roles.VIEWER.name) == roles.VIEWER.permissions
    assert held("Night shift") == {"auth.view_group"}


def test_halfway_through_the_migrations_nothing_is_loaded() -> None:
    Group.objects.all().delete()
    Permission.objects.filter(codename="turn_killswitch").delete()
    roles.load()
    assert not Group.objects.exists()


def test_the_groups_of_the_roles_are_read_only_and_the_page_says_so(staff: Staff) -> None:
    keeper = staff("view_group", "change_group", "delete_group", "add_group")
    group, own = Group.objects.get(name=roles.LEAD.name), Group.objects.create(name="Night shift")
    assert b"make a group of your own" in keeper.get("/admin/auth/group/").content
    assert keeper.post(f"/admin/auth/group/{group.pk}/change/", {"name": "x"}).status_code == 403
    assert keeper.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 403
    assert keeper.post(f"/admin/auth/group/{own.pk}/change/", {"name": "x"}).status_code == 302
    keeper.post(
        "/admin/auth/group/", {"action": "delete_selected", "_selected_action": [group.pk], "post": 1}
    )
    assert Group.objects.filter(name=roles.LEAD.name).exists()


def test_who_keeps_accounts_makes_no_superuser_and_touches_none(admin_user: User) -> None:
    keeper = User.objects.create_user("kim", is_staff=True)
    keeper.groups.add(Group.objects.get(name=roles.ADMIN.name))
    client = Client()
    client.force_login(keeper)
    path = f"/admin/auth/user/{keeper.pk}/change/"
    given = {"username": "kim", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    more = Permission.objects.get(codename="add_schedule").pk
    dates = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    groups = list(keeper.groups.values_list("pk", flat=True))
    answer = client.post(path, given | dates | {"groups": groups, "user_permissions": [more]})
    assert answer.status_code == 302
    keeper.refresh_from_db()
    assert not keeper.is_superuser
    assert not keeper.user_permissions.exists()
    for act in ("change", "password", "delete"):
        answer = client.post(f"/admin/auth/user/{admin_user.pk}/{act}/", {"post": "yes", "username": "x"})
        assert answer.status_code == 403, act


def test_the_demo_has_a_login_for_each_role_with_one_password() -> None:
    world._ensure_staff("correct horse")
    world._ensure_staff("correct horse")
    for role in roles.ROLES:
        user = User.objects.get(username=role.label)
        assert user.check_password("correct horse")
        assert (user.is_staff, user.is_superuser) == (True, False)
        assert [group.name for group in user.groups.all()] == [role.name]
    assert User.objects.get(username=world.LOGIN).is_superuser


def test_who_is_made_responsible_is_no_trainer_who_is_nothing_besides() -> None:
    trainers, operators = (Group.objects.get(name=role.name) for role in (roles.TRAINER, roles.OPERATOR))
    sam, olga, paul, root, _nora = (User.objects.create_user(name, is_staff=True) for name in "soprn")
    for user in (sam, olga, paul, root):
        user.groups.add(trainers)
    olga.groups.add(operators)
    paul.user_permissions.add(Permission.objects.get(codename="view_deadletter"))
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    with CaptureQueriesContext(connection) as queries:
        assert [one.get_username() for one in people.colleagues()] == ["n", "o", "p", "r"]
    assert len(queries) == 1
