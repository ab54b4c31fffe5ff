"""The form of a custom event; of a catalog event only what is staff's can be changed."""

import json
import re
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import ValidationError

from observability import custom_events
from observability.catalog import CATALOG
from observability.models import EventDefinition
from trainu.admin_rendering import seen

NAME = re.compile(r"[a-z][a-z0-9_]{1,63}", re.ASCII)


class IndentedJSON(json.JSONEncoder):
    """JSON as a person writes it, one property a line; marks that nobody sees are spelt out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"indent": 2})

    def encode(self, document: Any) -> str:
        return seen(super().encode(document))


class EventDefinitionForm(forms.ModelForm):  # type: ignore[type-arg]
    # Declared here, for Django would show a model's help text beside what cannot be edited too.
    description = forms.CharField(
        required=False,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text="When it happens, in a sentence that a new colleague understands.",
    )
    schema = forms.JSONField(
        encoder=IndentedJSON,
        initial={"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        widget=AdminTextareaWidget(
            attrs={"rows": 16, "class": "vLargeTextField code", "spellcheck": "false"}
        ),
        help_text=(
            "JSON Schema of the properties. Events that do not fit are refused and kept in quarantine. "
            "List in “required” what every event must carry."
        ),
    )

    class Meta:
        model = EventDefinition
        fields = ["name", "description", "schema", "owner", "forwarded"]
        labels = {"forwarded": "Forward to PostHog"}
        help_texts = {
            "name": "As the app sends it: small letters, digits and underscores, such as referral_shared. "
            "It cannot be changed later.",
        }

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if name in CATALOG:
            raise ValidationError("The catalog already has an event of this name.")
        if not NAME.fullmatch(name):
            raise ValidationError(
                "A name is 2 to 64 small letters, digits and underscores, and begins with a letter."
            )
        return name

    def clean_schema(self) -> Any:
        schema = self.cleaned_data["schema"]
        if problem := custom_events.schema_problem(schema):
            raise ValidationError(problem)
        if "\\u0000" in json.dumps(schema):
            raise ValidationError("The schema holds a NUL character, which cannot be stored.")
        return schema
