"""Engagement: how many people use TrainU how often, what they use, and what comes of the agent's messages.

The rule: sets of people are read once and shared by all charts; the filters keep people, drafts and messages
alike.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from observability.dashboards import active_days, active_people, activity, inbox, replies, scores
from observability.dashboards.estimates import Estimates
from observability.dashboards.freshness import counted_at
from observability.dashboards.panels import Dashboard, Section
from observability.dashboards.question import Question


def build(question: Question, *, now: datetime) -> Dashboard:
    """Return the dashboard's numbers for a period; trainer and segment apply to all of them."""
    today = now.astimezone(ZoneInfo(question.zone)).date()
    over = question.over(now=now)
    last = over[-1] if over else None
    estimates = Estimates(active_days.sample_level())
    # Twice 28 days of scores; 30 days up to the period's first day, and up to the one before it.
    scored_since = (last or question.first) - timedelta(days=2 * scores.SCORE_DAYS - 1)
    month_since = question.first - timedelta(days=active_people.MONTH)
    people = activity.read(
        question,
        people_since=min(question.before().first, month_since, scored_since),
        events_since=min(question.first, scored_since),
        mask=active_days.mask(question),
        now=now,
    )
    drafts, inbox_funnel = inbox.drafts(question, now=now)
    return Dashboard(
        name="engagement",
        title="Engagement",
        counted_at=counted_at(),
        sections=[
            Section(
                "Active people",
                active_people.figures(question, people, estimates, over=over),
                [
                    active_people.by_day(question, people, estimates, today=today),
                    active_people.by_hour_of_week(question, people, estimates, over=over, now=now),
                ],
            ),
            Section("Inbox", drafts, [inbox_funnel]),
            Section("Answers of clients", replies.responses(question, now=now)),
            Section(
                "Features",
                [active_people.goal_engagement(question, people, estimates)],
                [active_people.feature_use(question, people, estimates, today=today)],
            ),
            Section("Engagement score", charts=scores.charts(people, last, estimates)),
        ],
    )
