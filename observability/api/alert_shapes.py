"""What the API takes and says of incidents, alert rules and silences: shapes, and rows in them.

The rule: what is taken is closed and bounded; values are raw (shares from 0 to 1) beside words that say what
they mean; nothing that is said is personal.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from observability.alerts import cursors, demands
from observability.models import AlertRule, Incident, IncidentMoment, Notification, RuleState, Silence
from trainu.problem import Problem

Id = Annotated[int, Field(ge=1, lt=2**63)]
Severity = Literal["SEV1", "SEV2", "SEV3"]
Channel = Literal["slack", "pagerduty", "email"]
Minutes = Annotated[int, Field(ge=0, le=10_080)]


def _in_utc(moment: datetime) -> datetime:
    """PostgreSQL refuses offsets that Python takes, so none of them gets there."""
    if not 2000 <= moment.year <= 2100:
        raise ValueError("The year must be between 2000 and 2100.")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Closed(Schema):
    model_config = ConfigDict(extra="forbid")


class Reason(Closed):
    reason: str = Field(max_length=500, description="What was done about it, for the next one who meets it.")


class Words(Closed):
    words: str = Field(max_length=500, description="Up to 500 characters; what looks personal is masked.")


class Report(Closed):
    is_final: bool = Field(description="false: the first one, within a day; true: the final one.")
    words: str = Field(max_length=500, description="In short: what was reported, and to whom.")


class Owner(Closed):
    user_id: Id | None = Field(description="Of a member of staff; null: nobody.")


class Terms(Closed):
    """Of a rule; what is not given stays."""

    severity: Severity | None = None
    threshold: float | None = Field(default=None, description="A share is from 0 to 1.")
    recovery: float | None = Field(default=None, description="Not beyond the threshold.")
    window_minutes: Minutes | None = None
    min_sample: int | None = Field(default=None, ge=0, le=1_000_000)
    min_bad: int | None = Field(default=None, ge=0, le=1_000_000)
    needs_confidence: bool | None = None
    for_minutes: Minutes | None = None
    recovery_minutes: Minutes | None = None
    repeat_minutes: Minutes | None = None
    channels: list[Channel] | None = None
    is_enabled: bool | None = None


class NewSilence(Closed):
    rule: str | None = Field(
        max_length=40,
        description='Code of a rule. null or "*": every rule, SEV1 too; that must be said, not left out.',
    )
    group: str = Field(default="", max_length=64, description="Only of one; empty: of all.")
    ends_at: Moment = Field(description="30 days from now at most.")
    reason: str = Field(max_length=300)


class IncidentLine(Schema):
    id: int
    rule: str
    group: str
    severity: Severity
    state: Literal["open", "acknowledged", "resolved"]
    title: str
    value: float | None = Field(description="Of the measure when it fired.")
    episode: int = Field(description="How often it was opened.")
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str = Field(description="As the audit log names people and keys.")
    resolved_at: datetime | None
    resolved_by: str = Field(description="Who, or recovery.")
    first_report_at: datetime | None
    final_report_at: datetime | None
    owner: str
    told_at: datetime | None


class IncidentList(Schema):
    incidents: list[IncidentLine]
    cursor: str | None = Field(description="Pass it to go on; null at the end.")


class MomentLine(Schema):
    at: datetime
    kind: str
    by: str
    words: str


class NotificationLine(Schema):
    id: int
    at: datetime
    channel: str
    act: str
    state: Literal["waiting", "sent", "dead", "silenced"]
    tries: int
    code: str = Field(description="Why the last try failed.")
    sent_at: datetime | None


class IncidentDetail(IncidentLine):
    timeline: list[MomentLine] = Field(description="The newest 200, oldest first.")
    notifications: list[NotificationLine] = Field(description="The newest 100, oldest first.")


class RuleLine(Schema):
    code: str
    title: str
    severity: Severity
    measured: str = Field(description="What is measured, in words.")
    unit: str
    fires: str = Field(description="When it fires, in words.")
    threshold: float
    recovery: float
    window_minutes: int
    min_sample: int
    min_bad: int
    needs_confidence: bool
    for_minutes: int
    recovery_minutes: int
    repeat_minutes: int
    channels: list[str]
    is_enabled: bool
    changed_at: datetime | None
    changed_by: str


class StateLine(Schema):
    group: str
    phase: Literal["ok", "pending", "firing"]
    since: datetime | None
    value: float | None
    sample: float | None
    evaluated_at: datetime


class RuleDetail(RuleLine):
    states: list[StateLine] = Field(description="Up to 100, those that fire first.")


class FiringLine(Schema):
    group: str
    began_at: datetime
    ended_at: datetime | None
    worst: float | None


class BackTestAnswer(Schema):
    days: int
    measured_since: datetime | None = Field(description="Of the time before nothing is known.")
    fired: int
    is_cut: bool = Field(description="There was more than could be looked at.")
    firings: list[FiringLine] = Field(description="The newest 200.")


class SilenceLine(Schema):
    id: int
    rule: str | None
    group: str
    reason: str
    begins_at: datetime
    ends_at: datetime
    by: str
    ended_by: str


class Begun(SilenceLine):
    is_group_known: bool = Field(description="false: no rule has ever seen the group. Is it spelt right?")


class SilenceList(Schema):
    silences: list[SilenceLine]
    cursor: str | None


class Ended(SilenceLine):
    changed: bool = Field(description="false: it was over before.")


def incident(one: Incident) -> dict[str, Any]:
    """Return an incident as a line."""
    names = set(IncidentLine.model_fields) - {"rule"}
    return {name: getattr(one, name) for name in names} | {"rule": one.rule_id}


def moment(one: IncidentMoment) -> dict[str, Any]:
    """Return a line of a timeline."""
    return {"at": one.at, "kind": one.kind, "by": one.by, "words": one.words}


def notification(one: Notification) -> dict[str, Any]:
    """Return what was told as a line."""
    names = set(NotificationLine.model_fields) - {"at"}
    return {name: getattr(one, name) for name in names} | {"at": one.created_at}


def rule(one: AlertRule) -> dict[str, Any]:
    """Return a rule as a line."""
    said = {"measured": demands.what(one), "unit": demands.unit(one), "fires": demands.demanded(one)}
    return {name: getattr(one, name) for name in set(RuleLine.model_fields) - said.keys()} | said


def state(one: RuleState) -> dict[str, Any]:
    """Return where a rule stands for a group."""
    return {name: getattr(one, name) for name in StateLine.model_fields}


def silence(one: Silence) -> dict[str, Any]:
    """Return a silence as a line."""
    return {name: getattr(one, name) for name in set(SilenceLine.model_fields) - {"rule"}} | {
        "rule": one.rule_id
    }


def position(cursor: str | None) -> cursors.Position | None:
    """Return where a page begins; raises Problem 422."""
    try:
        return cursors.read(cursor)
    except cursors.Unreadable as error:
        raise Problem(422, "invalid_cursor", str(error)) from None
