"""The public directory of trainers: what visitors look for, whom they look at, when they decide to book."""

from typing import ClassVar

from pydantic import Field

from observability.catalog.event import Event
from observability.catalog.properties import Count, Id, Milliseconds, Word


class DirectoryEvent(Event):
    category: ClassVar[str] = "directory"


class DirectorySearch(DirectoryEvent):
    """A search of the directory has shown its results."""

    results: Count = Field(description="Number of trainers found; 0 is a search in vain.")
    client_id: Id | None = Field(default=None, description="The client who searched, when logged in.")
    specialty: Word | None = Field(default=None, description="Specialty filtered by, such as yoga.")
    page: Count = Field(default=1, description="Page of the results, from 1.")
    duration_ms: Milliseconds | None = Field(default=None, description="From the question until the results.")


class TrainerProfileViewed(DirectoryEvent):
    """Somebody has opened a trainer's public profile."""

    trainer_id: Id = Field(description="The trainer whose profile it is.")
    client_id: Id | None = Field(default=None, description="The client who looked, when logged in.")
    source: Word | None = Field(default=None, description="Where the visitor came from: search, link, share.")
    position: Count | None = Field(default=None, description="Place in the search results, from 1.")


class BookingCtaClicked(DirectoryEvent):
    """Somebody has clicked the button that begins a booking with a trainer; nothing is booked yet."""

    trainer_id: Id = Field(description="The trainer to be booked.")
    client_id: Id | None = Field(default=None, description="The client who clicked, when logged in.")
    placement: Word | None = Field(default=None, description="Where it was: profile, results, message.")
