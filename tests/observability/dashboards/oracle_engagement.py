"""The metrics of Engagement, computed naively, as their words say. See `oracle`."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from observability.dashboards.question import Question
from tests.observability.dashboards.asked import DAY, HOUR, Answer, Asked, Events, joined, share, up_to
from tests.observability.dashboards.past import FEATURES, Draft, first_moment, percentile

# A score is of the 28 days up to the last day that is over.
SCORE_DAYS = 28


def engagement(events: Events, question: Question, now: datetime) -> Answer:
    """Return Engagement.

    dau, stickiness: float | None. wau, mau: int | None.
    active_people: {day: (that day, 7 days up to it, 30 days up to it)}, the days of the period up to today.
    drafts_created: int. drafts_approved, drafts_sent, drafts_edited: share | None.
    inbox_funnel: [created, of these approved, of these sent].
    response_rate: share | None. response_median: whole minutes (interpolated between two) | None.
    goal_engagement: share | None, of clients who have sent a goal event themselves; goal_engagement_named: of
    clients whom a goal event of the period names, whoever has sent it.
    hour_of_week: [weekday from Monday][hour] of float | None; [] when no day is over.
    feature_use: {Monday: {feature: int}}, all weeks of the period, all eight features.
    score_distribution: {distinct id: score}, of all who have one; {} when no day is over.
    score_risers, score_fallers: [(distinct id, score 28 days earlier, score)], at most ten.
    cases: of shares and response_median.
    """
    asked = Asked(events, question, now)
    activity = asked.activity()
    answer: Answer = {"cases": {}}
    _active(answer, asked, activity)
    _inbox(answer, asked)
    _responses(answer, asked)
    _goals(answer, asked, activity)
    answer["hour_of_week"] = _hour_of_week(asked)
    uses = asked.uses()
    answer["feature_use"] = {
        monday: {
            feature: len({who for who, used in joined(uses[day] for day in days) if used == feature})
            for feature in FEATURES
        }
        for monday, days in asked.weeks.items()
    }
    _scores(answer, asked, activity, uses)
    return answer


def _active(answer: Answer, asked: Asked, activity: dict[date, set[str]]) -> None:
    def within(last: date, days: int) -> int:
        return len(joined(activity[day] for day in up_to(last, days)))

    answer.update(dict.fromkeys(("dau", "wau", "mau", "stickiness")))
    if asked.over:
        last = asked.over[-1]
        answer["dau"] = sum(len(activity[day]) for day in asked.over) / len(asked.over)
        answer["wau"], answer["mau"] = within(last, 7), within(last, 30)
        a_day = sum(len(activity[day]) for day in up_to(last, 30)) / 30
        answer["stickiness"] = a_day / answer["mau"] if answer["mau"] else None
    answer["active_people"] = {
        day: (within(day, 1), within(day, 7), within(day, 30)) for day in asked.days if day <= asked.today
    }


def _keeps_draft(asked: Asked, draft: Draft) -> bool:
    return asked.keeps(draft.trainer, asked.past.person(f"client:{draft.client_id}").segment)


def _inbox(answer: Answer, asked: Asked) -> None:
    created = [
        draft for draft in asked.past.drafts if asked.covers(draft.drafted_at) and _keeps_draft(asked, draft)
    ]
    approved = [draft for draft in created if draft.approved_at]
    sent = [draft for draft in approved if draft.sent_at]
    edited = [draft for draft in approved if draft.is_edited]
    answer["drafts_created"] = len(created)
    answer["drafts_approved"] = share(len(approved), len(created))
    answer["drafts_sent"] = share(len(sent), len(approved))
    answer["drafts_edited"] = share(len(edited), len(approved))
    answer["inbox_funnel"] = [len(created), len(approved), len(sent)]
    answer["cases"] |= {
        "drafts_approved": len(created),
        "drafts_sent": len(approved),
        "drafts_edited": len(approved),
    }


def _responses(answer: Answer, asked: Asked) -> None:
    asked_for, minutes = 0, []
    for draft in asked.past.drafts:
        if draft.sent_at is None or not asked.covers(draft.sent_at) or not _keeps_draft(asked, draft):
            continue
        if first_moment(asked.day(draft.sent_at) + DAY, asked.zone) + 48 * HOUR > asked.now:
            continue
        asked_for += 1
        replies = [
            at - draft.sent_at
            for who, at in asked.past.inbound
            if who == draft.client_id and timedelta(0) < at - draft.sent_at <= 48 * HOUR
        ]
        if replies:
            # Open: minutes that have passed in full.
            minutes.append(min(replies) // timedelta(minutes=1))
    answer["response_rate"] = share(len(minutes), asked_for)
    answer["response_median"] = percentile(minutes, 0.5)
    answer["cases"] |= {"response_rate": asked_for, "response_median": len(minutes)}


def _goals(answer: Answer, asked: Asked, activity: dict[date, set[str]]) -> None:
    active = {who for day in asked.days for who in activity[day] if who.startswith("client:")}
    told = [
        one for one in asked.past.human() if one.name in FEATURES["goals"] and asked.covers(one.timestamp)
    ]
    own = {one.distinct_id for one in told}
    named = {f"client:{one.properties['client_id']}" for one in told}
    answer["goal_engagement"] = share(len(active & own), len(active))
    answer["goal_engagement_named"] = share(len(active & named), len(active))
    answer["cases"]["goal_engagement"] = len(active)


def _hour_of_week(asked: Asked) -> list[list[float | None]]:
    if not asked.over:
        return []
    # Open: an hour that a change of clocks repeats is one hour, and who is active in both is one person.
    people: dict[tuple[date, int], set[str]] = defaultdict(set)
    for one in asked.past.human():
        if asked.keeps_person(asked.past.person(one.distinct_id)):
            local = one.timestamp.astimezone(ZoneInfo(asked.zone))
            people[local.date(), local.hour].add(one.distinct_id)
    grid: list[list[float | None]] = []
    for weekday in range(7):
        days = [day for day in asked.over if day.weekday() == weekday]
        grid.append(
            [sum(len(people[day, hour]) for day in days) / len(days) if days else None for hour in range(24)]
        )
    return grid


def _scores(
    answer: Answer,
    asked: Asked,
    activity: dict[date, set[str]],
    uses: dict[date, set[tuple[str, str]]],
) -> None:
    def scores(last: date) -> Counter[str]:
        days = up_to(last, SCORE_DAYS)
        active = Counter(who for day in days for who in activity[day])
        features = Counter(who for who, _ in joined(uses[day] for day in days))
        return Counter({who: 3 * min(20, active[who]) + 5 * features[who] for who in active})

    answer.update(score_distribution={}, score_risers=[], score_fallers=[])
    if not asked.over:
        return
    last = asked.over[-1]
    now, before = scores(last), scores(last - SCORE_DAYS * DAY)
    changes = [(now[who] - before[who], who) for who in sorted(now.keys() | before.keys())]
    risers = sorted((one for one in changes if one[0] > 0), key=lambda one: (-one[0], one[1]))
    fallers = sorted(one for one in changes if one[0] < 0)
    answer["score_distribution"] = dict(now)
    answer["score_risers"] = [(who, before[who], now[who]) for _, who in risers[:10]]
    answer["score_fallers"] = [(who, before[who], now[who]) for _, who in fallers[:10]]
