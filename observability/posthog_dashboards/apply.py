"""Carry out a plan, one action after another, over all hosts one run at a time.

The rule: one thing that fails does not stop the others, except those that need it; whatever stops a run, the
next one goes on where it stopped, for a plan is made anew from what is found.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import Error, connection

from observability.posthog_dashboards import plan
from observability.posthog_dashboards.client import Client, Failed, Hopeless, NoAnswer
from observability.posthog_dashboards.declared import Dashboard, Json, key_of
from observability.posthog_dashboards.plan import Action, Plan

LOCK_KEY = 0x7472_6169_6E75_0005
# After so many requests in a row without an answer the rest is not tried: each takes a minute.
MOST_SILENCES = 3


class Busy(Exception):
    """Another run is under way, or could be."""


class NotTried(Failed):
    """Nothing was asked, for it could not have worked."""


@contextmanager
def alone() -> Iterator[Callable[[], None]]:
    """Hold the right to change PostHog, over all processes of this database, for the time of a block.

    Gives a check that raises Busy when the session that holds it is gone. Call it outside of
    transactions: the lock is the session's, and no transaction is open while PostHog is asked.
    Raises Busy.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [LOCK_KEY])
        if not cursor.fetchone()[0]:
            raise Busy("Another posthog_dashboards is under way. Wait for it, then run it again.")

    def still() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("select 1")
        except Error:
            raise Busy("The database has gone, and with it the right to be alone. Run it again.") from None

    try:
        yield still
    finally:
        # A session that has died has let go of it by that.
        if connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s)", [LOCK_KEY])


@dataclass(slots=True)
class Outcome:
    """done: actions that PostHog has acknowledged. failed: actions with the reason."""

    done: list[Action] = field(default_factory=list)
    failed: list[tuple[Action, str]] = field(default_factory=list)


def carry_out(
    made: Plan,
    declared: Sequence[Dashboard],
    client: Client,
    *,
    before: Callable[[], object],
    progress: Callable[[], object] = lambda: None,
) -> Outcome:
    """Do what the plan says; return how it went. before: called ahead of each action, and may raise."""
    outcome = Outcome()
    ids, insight_ids = dict(made.ids), dict(made.insight_ids)
    by_key = {one.key: one for one in declared}
    silences, hopeless = 0, ""
    for action in made.actions:
        before()
        try:
            if hopeless:
                raise NotTried(hopeless)
            _do(action, by_key, ids, insight_ids, client)
        except Hopeless as reason:
            hopeless = str(reason)
            outcome.failed.append((action, hopeless))
        except Failed as reason:
            if not isinstance(reason, NotTried):
                silences = silences + 1 if isinstance(reason, NoAnswer) else 0
            if silences >= MOST_SILENCES:
                hopeless = "Not tried: PostHog has stopped answering."
            outcome.failed.append((action, str(reason)))
        else:
            silences = 0
            outcome.done.append(action)
        progress()
    return outcome


def _do(
    action: Action,
    declared: dict[str, Dashboard],
    ids: dict[str, int],
    insight_ids: dict[str, int],
    client: Client,
) -> None:
    if action.kind == "dashboard":
        if action.verb == "create":
            ids[action.key] = client.create("dashboards/", dict(action.fields))["id"]
        else:
            client.change(f"dashboards/{action.id}/", dict(action.fields))
    elif action.kind == "insight" and action.verb == "remove":
        client.change(f"insights/{action.id}/", dict(action.fields))
    else:
        if action.dashboard not in ids:
            raise NotTried("Its dashboard is not there.")
        board = ids[action.dashboard]
        if action.kind == "insight":
            _do_insight(action, board, insight_ids, client)
        elif action.kind == "text":
            client.change(f"dashboards/{board}/", {"tiles": [_text_tile(action, declared)]})
        else:
            _lay_out(declared[action.dashboard], board, insight_ids, client)


def _do_insight(action: Action, board: int, insight_ids: dict[str, int], client: Client) -> None:
    fields = dict(action.fields)
    if action.verb == "create":
        insight_ids[action.key] = client.create("insights/", fields | {"dashboards": [board]})["id"]
        return
    if "dashboards" in fields:
        fields["dashboards"] = sorted(action.boards | {board})
    client.change(f"insights/{action.id}/", fields)


def _text_tile(action: Action, declared: dict[str, Dashboard]) -> Json:
    if action.verb == "remove":
        return {"id": action.id, "deleted": True}
    text: Json = dict(action.fields)
    if action.verb == "create":
        return {"text": text, "layouts": plan.layouts(declared[action.dashboard])[action.key]}
    return {"id": action.id, "text": text | {"id": action.text_id}}


def _lay_out(declared: Dashboard, board: int, insight_ids: dict[str, int], client: Client) -> None:
    """Give the tiles of ours that have no place theirs. Which is which, PostHog says once they are made.

    A copy carries our marker too, and stands where whoever made it wants it.
    """
    places = plan.layouts(declared)
    document = client.get(f"dashboards/{board}/")
    keys = {number: key for key, number in insight_ids.items()}
    tiles, has_text = [], False
    for tile in sorted(document.get("tiles") or [], key=lambda tile: tile["id"]):
        insight, text = tile.get("insight") or {}, tile.get("text") or {}
        key = keys.get(insight.get("id", 0))
        if not insight and key_of(text.get("body")) == declared.text_key and not has_text:
            key, has_text = declared.text_key, not tile.get("deleted")
        if key in places and not tile.get("layouts"):
            tiles.append({"id": tile["id"], "layouts": places[key]})
    if tiles:
        client.change(f"dashboards/{board}/", {"tiles": tiles})
