"""How fast it is: page loads as the apps see them, requests and queries as this service measures them."""

from typing import ClassVar

from pydantic import Field

from observability.catalog.event import Event
from observability.catalog.properties import Count, Milliseconds, Route, Word


class PerformanceEvent(Event):
    category: ClassVar[str] = "performance"
    human: ClassVar[bool] = False


class PageLoadTime(PerformanceEvent):
    """A page of a TrainU app has become usable in somebody's browser."""

    duration_ms: Milliseconds = Field(description="From navigation start until the page could be used.")
    page: Route = Field(description="Route of the page, without ids and query.")
    connection: Word | None = Field(default=None, description="Effective connection type, such as 4g.")


class ApiResponseTime(PerformanceEvent):
    """A request to an API has been answered."""

    duration_ms: Milliseconds = Field(description="From the first middleware until the answer.")
    route: Route = Field(description="Route of the endpoint, without ids and query.")
    method: Word = Field(description="HTTP method in lower case.")
    status: Count = Field(description="HTTP status of the answer.")
    sampled_one_in: Count = Field(default=1, description="The event stands for so many requests.")


class DatabaseQueryTime(PerformanceEvent):
    """The database work of one request or task."""

    duration_ms: Milliseconds = Field(
        description="Time spent waiting for the database, all queries together."
    )
    queries: Count = Field(description="Number of queries.")
    route: Route = Field(description="Route of the request, or /tasks/ and the name of the task.")
    sampled_one_in: Count = Field(default=1, description="The event stands for so many requests.")
