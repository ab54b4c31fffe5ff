"""Two runs of `posthog_dashboards` at the same time, and one that loses its database."""

import threading
from typing import Any

from django.db import connection

from observability.posthog_dashboards import apply
from tests.posthog_app import PostHogApp, call, failing
from tests.servers import Reply


def test_two_at_the_same_time_make_four_dashboards_and_one_says_so(
    app: PostHogApp, transactional_db: None
) -> None:
    app.fail(Reply(hang_s=2.0, stores=True, status=201, body={"id": 101}), method="POST", path="dashboards")
    ended: list[str] = []

    def first() -> None:
        try:
            ended.append(call())
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    while not app.writes:
        thread.join(0.02)
    assert "Another posthog_dashboards is under way." in failing()
    assert "Nothing was changed." in call("--dry-run")
    thread.join(20)
    assert len(ended) == 1
    assert len(app.project.dashboards) == 4
    app.requests.clear()
    call()
    assert app.writes == []


def test_who_has_lost_the_right_to_be_alone_stops(app: PostHogApp, transactional_db: None) -> None:
    def cut(method: str, path: str, body: Any) -> None:
        if method == "POST" and len(app.writes) == 3:
            killer = connection.copy()
            with killer.cursor() as cursor:
                cursor.execute(
                    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
                    " and objid = %s",
                    [apply.LOCK_KEY & 0xFFFF_FFFF],
                )
            killer.close()

    app.faults.append(cut)
    try:
        assert "The database has gone, and with it the right to be alone." in failing()
    finally:
        connection.close()
    assert len(app.writes) == 3
    app.faults.clear()
    call()
    assert len(app.project.dashboards) == 4
