"""What pages say of a draft, in plain words, and how much of it to this reader.

The rule: who may not read a draft is told what, whose and when, and how long it is; never a text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sync import kill_switch
from sync.drafts import delivery, over, visible
from sync.drafts.llm import errors
from sync.drafts.states import Act, allows
from sync.models import Draft
from trainu.admin_rendering import pill, seen

State = Draft.State

VIEW, OPEN, WORK = visible.ALL, visible.OPEN, visible.WORK
LONGEST_NAME = 40
LONGEST_EXCERPT = 280
_TONES = {
    State.WAITING: "info",
    State.WRITING: "info",
    State.REVIEW: "warn",
    State.FAILED: "bad",
    State.SCHEDULED: "info",
    State.SENT: "ok",
    State.UNDELIVERED: "bad",
    State.DISMISSED: "",
}
_HIGH, _MIDDLE = 70, 40


@dataclass(frozen=True, slots=True)
class Line:
    """A draft as a list shows it. client: first name where the reader may read it, else id.

    why_not: why it could not be written or sent, or waits. is_over: what it is about has passed. acts: what
    may be done at once, words and verb.
    """

    draft: Draft
    client: str
    text: str
    why_not: str
    state: SafeString
    impact: SafeString
    is_over: bool
    can_choose: bool
    acts: tuple[tuple[str, str], ...]


def lines(request: HttpRequest, found: Iterable[Draft], *, now: datetime) -> list[Line]:
    """Return drafts as a list shows them to this reader."""
    drafts = list(found)
    readable = visible.readable(request.user, drafts)
    may_work = request.user.has_perm(WORK)
    since = stopped_since(drafts)
    return [_line(draft, draft.pk in readable, may_work, now, since) for draft in drafts]


def stopped_since(drafts: Iterable[Draft]) -> datetime | None:
    """Return since when messages are stopped, asked once where one of these drafts is to be sent."""
    is_asked = any(draft.state == State.SCHEDULED for draft in drafts)
    return kill_switch.held_since() if is_asked else None


def client_of(draft: Draft, *, may_read: bool) -> str:
    """Return what to call a draft's client: by first name to who may read it."""
    return first_name(draft) if may_read and first_name(draft) else draft.client_id


def first_name(draft: Draft) -> str:
    """Return the client's first name, as the app says it; empty where it does not."""
    client = draft.context.get("client")
    name = client.get("first_name") if isinstance(client, dict) else None
    return seen(" ".join(name.split())[:LONGEST_NAME]) if isinstance(name, str) else ""


def why_not(draft: Draft, *, stopped_since: datetime | None) -> str:
    """Return why a draft was not written, is not sent yet or could not be; empty where all is well.

    stopped_since: as `stopped_since` returns it for all that is shown.
    """
    if draft.state == State.FAILED:
        return errors.words(draft.code)
    if draft.state in (State.SCHEDULED, State.UNDELIVERED):
        return delivery.words(draft, stopped_since=stopped_since)
    return ""


def state_pill(draft: Draft) -> SafeString:
    """Return a draft's state as a label."""
    return pill(draft.get_state_display(), _TONES[State(draft.state)] or "none")


def impact_pill(draft: Draft) -> SafeString:
    """Return how much depends on a draft, as a label."""
    words, tone = (
        ("High", "bad")
        if draft.impact >= _HIGH
        else ("Medium", "warn")
        if draft.impact >= _MIDDLE
        else ("Low", "none")
    )
    return pill(f"{words} impact, {draft.impact}", tone)


def length_of(draft: Draft) -> str:
    """Return how long a text is that this reader may not read."""
    letters = len(draft.text)
    return f"A text of {letters:,} character{'' if letters == 1 else 's'}." if letters else "No text yet."


def here(draft: Draft, moment: datetime | None) -> SafeString | str:
    """Return a moment as the client's clock shows it; empty for none."""
    if moment is None:
        return ""
    local = moment.astimezone(delivery.zone(draft))
    utc = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(timespec="seconds"),
        f"{utc.day} {utc:%b %Y, %H:%M} UTC",
        f"{local:%a} {local.day} {local:%b, %H:%M} ({local.tzname()})",
    )


def can_be_chosen(draft: Draft) -> bool:
    """Whether a draft may be approved with others, as it is."""
    return draft.state == State.REVIEW and bool(draft.text.strip())


def _line(draft: Draft, may_read: bool, may_work: bool, now: datetime, since: datetime | None) -> Line:
    acts: list[tuple[str, str]] = []
    if may_work and allows(draft.state, Act.RETRY):
        acts.append(("Retry", Act.RETRY))
    if may_work and draft.snoozed_until and draft.snoozed_until > now:
        acts.append(("Wake", Act.WAKE))
    if may_work and allows(draft.state, Act.RECALL):
        acts.append(("Call back", Act.RECALL))
    text = draft.text if len(draft.text) <= LONGEST_EXCERPT else f"{draft.text[:LONGEST_EXCERPT]} …"
    return Line(
        draft,
        client_of(draft, may_read=may_read),
        text if may_read else length_of(draft),
        why_not(draft, stopped_since=since),
        state_pill(draft),
        impact_pill(draft),
        over.is_over(draft, now),
        may_work and can_be_chosen(draft),
        tuple(acts),
    )
