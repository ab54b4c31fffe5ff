"""What every figure and chart of the dashboards means, in words: pages, CSV and API show these words.

The rule: a number is computed as its words say, and nowhere are other words said about it.

Day, week: of the chosen zone; a week begins on Monday, and counts with those of its days that are in the
period. A day is over when the next one has begun. A person is a distinct id (client:ID, trainer:ID).
A client's trainer and segment are those named last by a booking or by the end of onboarding.
"""

HUMAN = "A person is active with at least one event made by a human: not by sync, agent or measurement."

WORDS = {
    # Activation
    "clients_signed_up": (
        "Clients whose account was created (first user_registered) on a day of the period."
    ),
    "trainers_signed_up": (
        "Trainers whose account was created (first user_registered) on a day of the period."
    ),
    "first_booking_median": (
        "Of clients who signed up in the period and have booked since: half needed no longer from "
        "sign-up to their first booking_scheduled. Who booked before signing up needed no time."
    ),
    "first_booking_p75": "Three quarters of those who have booked needed no longer.",
    "first_booking_p90": "Nine in ten of those who have booked needed no longer.",
    "first_booking_in_time": (
        "Of clients who signed up in the period, at least 24 hours ago: the share whose first booking"
        " came within 24 hours."
    ),
    "first_insight_median": (
        "Of clients who signed up in the period and have had an insight since: half waited no longer "
        "from sign-up to their first insight_created. One before sign-up took no time."
    ),
    "first_insight_in_time": (
        "Of clients who signed up in the period, at least 7 days ago: the share whose first insight "
        "came within 7 days."
    ),
    "onboarded_clients": (
        "Of clients who signed up in the period: the share that has finished onboarding by now "
        "(client_onboarded)."
    ),
    "onboarded_trainers": (
        "Of trainers who signed up in the period: the share that has finished onboarding by now "
        "(trainer_onboarded)."
    ),
    "activation_funnel": (
        "Clients who signed up in the period; of these, who have booked by now; of these, who have "
        "had an insight by now."
    ),
    "feature_adoption": (
        "Clients who signed up in the period, and how many of them have used each feature on a day of"
        " the period."
    ),
    "booking_cohorts": (
        "Clients by the week they signed up in, and the share that has booked within 7, 14, 21 … days"
        " of their own sign-up. Empty where not everybody who may sign up in the week, as far as it is in"
        " the period, has had so much time."
    ),
    "retention_cohorts": (
        "Clients by the week they signed up in, and the share that is active in that week (0) and in "
        "the weeks after it, all seven days of each, also outside the period. Empty where a week is not over."
    ),
    "drop_off_clients": (
        "Clients who signed up in the period: how many have got to each step of onboarding "
        "(onboarding_step_completed), or past it. Who has finished onboarding has taken every step. A step "
        "that is nobody's furthest is left out."
    ),
    "drop_off_trainers": (
        "Trainers who signed up in the period: how many have got to each step of onboarding "
        "(onboarding_step_completed), or past it. Who has finished onboarding has taken every step. A step "
        "that is nobody's furthest is left out."
    ),
    # Engagement
    "dau": f"Active people a day, on average over the days of the period that are over. {HUMAN}",
    "wau": "Different people active in the 7 days up to the last day of the period that is over.",
    "mau": "Different people active in the 30 days up to the last day of the period that is over.",
    "stickiness": (
        "Active people a day, on average over the 30 days up to the last day of the period that is "
        "over, as a share of the different people active in these 30 days."
    ),
    "active_people": "By day: people active on it, in the 7 days up to it, and in the 30 days up to it.",
    "drafts_created": "Messages that the agent has drafted on a day of the period (message_drafted).",
    "drafts_approved": "Of drafts of the period: the share that a trainer has approved by now.",
    "drafts_sent": "Of approved drafts of the period: the share that GoHighLevel has accepted by now.",
    "drafts_edited": "Of approved drafts of the period: the share that the trainer had changed.",
    "inbox_funnel": "Drafts of the period: created; of these approved by now; of these sent by now.",
    "response_rate": (
        "Of messages sent on days that have been over for 48 hours: the share whose client has "
        "written back (inbound message) later than the message and within 48 hours of it."
    ),
    "response_median": (
        "Of the same messages that were answered, from message to the first inbound message after it, "
        "in whole minutes: half of them took no longer. Between two in the middle, what lies between."
    ),
    "goal_engagement": (
        "Of clients active in the period: the share that has set, changed, worked on or reached a goal"
        " in it, by an event of their own."
    ),
    "hour_of_week": (
        "People active in an hour of the week, on average over the days of the period that are over."
    ),
    "feature_use": "By week: different people who have used a feature on a day of the period.",
    "score_distribution": (
        "Engagement score of each person for the 28 days up to the last day of the period that is "
        "over: 3 points for each active day, for 20 days at most, and 5 for each of the eight "
        "features used."
    ),
    "score_risers": "Whose engagement score has risen most, against the score of 28 days earlier.",
    "score_fallers": "Whose engagement score has fallen most, against the score of 28 days earlier.",
    # Show-rate
    "show_rate": (
        "Of bookings that were due in the period: the share that was not marked as a no-show. Due: "
        "not canceled, and its start has passed. A booking is as its last change says and counts "
        "once, at its last start."
    ),
    "show_rate_baseline": (
        "The same for the baseline: each trainer's first four full weeks, which begin with the first "
        "Monday on or after the day of the trainer's first due booking. Trainers whose four weeks are "
        "not over are left out. Where a period is configured instead, it is that one for everybody."
    ),
    "show_rate_target": "15 to 25 % above the baseline: baseline times 1.15 to 1.25.",
    "due": "Bookings whose start lies on a day of the period and has passed, and that were not canceled.",
    "no_shows": "Of the due bookings: those marked as a no-show.",
    "canceled": "Of bookings whose start lies on a day of the period and has passed: the share canceled.",
    "recovery": (
        "Of no-shows on days that have been over for 7 days: the share whose client has booked anew "
        "(booking_scheduled) later than the missed start and within 7 days of it."
    ),
    "show_rate_trend": "Show-rate by week, with its 95 % confidence interval (Wilson).",
    "show_rate_change": (
        "Show-rate of the period before and of this one, and the 95 % interval of the difference "
        "(Newcombe), for all and by segment."
    ),
    "show_rate_segments": "Show-rate by the client segment that the booking names.",
    "show_rate_trainers": (
        "Show-rate by trainer against the trainer's own baseline, those with most due bookings first."
        " With fewer than 30 due bookings nothing is compared."
    ),
    # Sync health
    "sync_success": "Of jobs settled in the period (sync_ok, sync_dropped): the share that succeeded.",
    "error_budget": (
        "Of the failures that a success rate of 99.5 % allows in the period: the share that is left. "
        "Below zero, more have failed than it allows."
    ),
    "settled_p50": (
        "From enqueueing of a job to its success: half of the jobs need no longer. Within 2.5 %."
    ),
    "settled_p95": "From enqueueing of a job to its success: 95 of 100 jobs need no longer. Within 2.5 %.",
    "settled_p99": "From enqueueing of a job to its success: 99 of 100 jobs need no longer. Within 2.5 %.",
    "ghl_p50": (
        "An attempt at GoHighLevel, from request to answer: half of them take no longer. Within 2.5 %."
    ),
    "ghl_p95": "An attempt at GoHighLevel, from request to answer: 95 of 100 take no longer. Within 2.5 %.",
    "ghl_p99": "An attempt at GoHighLevel, from request to answer: 99 of 100 take no longer. Within 2.5 %.",
    "dead_letters_open": "Dead letters that wait for somebody now, snoozed ones included.",
    "dead_letters_oldest": "Age of the open dead letter that died first.",
    "webhooks_received": "Webhooks of GoHighLevel verified and stored in the period (webhook_received).",
    "webhook_stored_p95": (
        "From a webhook's first byte until it was stored: 95 of 100 took no longer. Within 2.5 %."
    ),
    "webhook_processed_p95": (
        "Of the newest 1,000 webhooks that were processed: 95 of 100 were, so long after they came in. What a"
        " person has tried again is left out, and no more than the newest 5,000 are looked at."
    ),
    "retry_rate": (
        "Of attempts of the period that ended well or badly (sync_ok, sync_retry, sync_dropped): the "
        "share that is tried again."
    ),
    "deferred": (
        "Attempts of the period that were put off at no cost: GoHighLevel asked for a rest, a token was "
        "refused or could not be renewed, or the kill switch was turned with a message in hand. What a "
        "breaker, a pause or our own limit holds is not tried, and so not counted. As far back as counters "
        "by the minute are kept."
    ),
    "sync_outcomes": (
        "Attempts by day (by hour for two days or less): succeeded, tried again, given up. An hour that comes"
        " twice, when clocks go back, is shown twice."
    ),
    "sync_success_trend": (
        "Success rate by day (by hour for two days or less), against the target of 99.5 %."
    ),
    "sync_errors": "Attempts that failed, by day (by hour for two days or less) and cause.",
    "sync_latency": (
        "From enqueueing of a job to its success, by day (by hour for two days or less): p50, p95 and p99. "
        "Within 2.5 %."
    ),
    "dead_letter_backlog": "Open dead letters at each daily check of the ledger, and now.",
    "location_status": (
        "Each location as it is now: state, breaker, what it may still ask of GoHighLevel, what "
        "waits, and the success rate since the quarter of an hour in which the last 24 hours began. Those "
        "with trouble first."
    ),
    "integration_status": "Each integration as the last check of health found it, some seconds ago at most.",
    "workers": (
        "Last signs of life: of every lane that is to run, and of other lanes and clusters seen in the last "
        "24 hours. Silent: none for two minutes; of what need not run, gone."
    ),
    "success_hour": "Of jobs settled in the last 60 minutes: the share that succeeded.",
    "success_day": "Of jobs settled in the last 24 hours: the share that succeeded.",
    "settled_p50_hour": (
        "From enqueueing of a job to its success, since the quarter of an hour in which the last hour began:"
        " half of the jobs needed no longer. Within 2.5 %."
    ),
    "settled_p95_hour": "The same: 95 of 100 jobs needed no longer.",
    "ghl_p50_hour": (
        "An attempt at GoHighLevel, from request to answer, since the quarter of an hour in which the last "
        "hour began: half of them took no longer. Within 2.5 %."
    ),
    "ghl_p95_hour": "The same: 95 of 100 took no longer.",
    "jobs_waiting": "Jobs that wait for their time, their turn or their location. Counted up to 1,000.",
    "jobs_late": (
        "For how long the first job has been due that could go at once. What is held is not late; "
        "beyond two minutes something is wrong."
    ),
    "jobs_in_hand": "Jobs being tried at this moment.",
    "messages_held": "Messages that are due and held by the kill switch; none while it is off.",
    "webhooks_waiting": "Webhooks stored and not processed yet. Counted up to 1,000.",
    "locations_troubled": "Locations that are held, not answering, resting, or have late jobs.",
}
