"""How people come in: registration, login, and the steps of onboarding up to its end."""

from typing import ClassVar, Literal

from pydantic import Field

from observability.catalog.event import Event
from observability.catalog.properties import Count, Id, Seconds, Word


class OnboardingEvent(Event):
    category: ClassVar[str] = "authentication and onboarding"


class UserRegistered(OnboardingEvent):
    """An account has been created, whoever created it."""

    user_id: Id = Field(description="The new account.")
    role: Literal["trainer", "client", "staff"] = Field(description="What the account is for.")
    method: Word = Field(default="password", description="How it signs in: password, google, apple, admin.")
    referrer: Word | None = Field(default=None, description="Campaign or source that brought the person.")


class UserLoggedIn(OnboardingEvent):
    """Somebody has logged in."""

    user_id: Id = Field(description="The account.")
    role: Literal["trainer", "client", "staff"] = Field(description="What the account is for.")
    method: Word = Field(default="password", description="How it signed in: password, google, apple.")


class OnboardingStepCompleted(OnboardingEvent):
    """Somebody has completed one step of onboarding; a step that is completed again is told again."""

    user_id: Id = Field(description="The account that is being onboarded.")
    role: Literal["trainer", "client", "staff"] = Field(description="What the account is for.")
    step: Word = Field(description="The step, such as profile, calendar, intake_form or payment.")
    position: Count = Field(description="Place of the step in the role's onboarding, from 1.")


class TrainerOnboarded(OnboardingEvent):
    """A trainer has finished the last step of onboarding."""

    trainer_id: Id = Field(description="The trainer.")
    location_id: Id | None = Field(default=None, description="The trainer's GoHighLevel location.")
    duration_s: Seconds = Field(description="From registration until the last step.")


class ClientOnboarded(OnboardingEvent):
    """A client has finished the last step of onboarding."""

    client_id: Id = Field(description="The client.")
    trainer_id: Id = Field(description="The client's trainer.")
    segment: Word | None = Field(
        default=None, description="Client segment, such as new, regular or returning."
    )
    duration_s: Seconds = Field(description="From invitation until the last step.")
