"""Goals of clients: set, worked on, reached. Measured values stay in TrainU, for they are about health."""

from typing import ClassVar, Literal

from pydantic import Field

from observability.catalog.event import Event
from observability.catalog.properties import Id, Percent, Word


class GoalEvent(Event):
    category: ClassVar[str] = "goals"

    goal_id: Id = Field(description="The goal.")
    client_id: Id = Field(description="The client whose goal it is.")
    trainer_id: Id = Field(description="The client's trainer.")
    kind: Word = Field(description="Kind of goal: strength, endurance, weight, habit, nutrition.")


class GoalUpdated(GoalEvent):
    """A goal has been set, its target or deadline has been changed, or it has been given up."""

    change: Literal["created", "target", "deadline", "abandoned"] = Field(description="What has changed.")


class GoalAchieved(GoalEvent):
    """A goal has been reached; it happens once a goal."""


class ProgressLogged(GoalEvent):
    """Somebody has entered progress towards a goal."""

    progress: Percent = Field(description="How much of the goal is done after this entry.")
    logged_by: Literal["client", "trainer"] = Field(description="Who has entered it.")
