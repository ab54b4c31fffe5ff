"""Files and templates: what trainers and clients put in, and what trainers use again."""

from typing import ClassVar, Literal

from pydantic import Field

from observability.catalog.event import Event
from observability.catalog.properties import Bytes, Id, Milliseconds, Word


class FileEvent(Event):
    category: ClassVar[str] = "files"


class FileUploaded(FileEvent):
    """A file has been uploaded completely, and is stored."""

    file_id: Id = Field(description="The file; its name is not told, for people put names into it.")
    uploaded_by: Literal["trainer", "client", "staff"] = Field(description="Who has uploaded it.")
    trainer_id: Id | None = Field(default=None, description="The trainer it belongs to.")
    client_id: Id | None = Field(default=None, description="The client it belongs to, if one.")
    content: Literal["image", "video", "audio", "document", "other"] = Field(description="Kind of content.")
    size_bytes: Bytes = Field(description="Size of the file.")
    duration_ms: Milliseconds | None = Field(default=None, description="From first to last byte.")


class TemplateApplied(FileEvent):
    """A trainer has applied a template, to a client or to the own calendar."""

    template_id: Id = Field(description="The template.")
    trainer_id: Id = Field(description="The trainer.")
    client_id: Id | None = Field(default=None, description="The client it was applied to, if one.")
    kind: Word = Field(description="Kind of template: program, meal_plan, check_in, session.")
