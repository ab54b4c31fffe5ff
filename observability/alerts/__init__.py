"""Alerts: rules that are looked at once a minute, incidents they open, and who is told.

The way of an alert: `measures` read counts by the minute, `evaluation` decides (pure), `incidents` changes
the rows and writes what is to be told into the outbox in the same transaction, `outbox` brings it to Slack,
PagerDuty and email. The rule: numerators come from rows and counters, never from log lines; nothing
personal is told to anybody.
"""
