"""What staff may send to the verbs of a cause: parsed and bounded here, decided by the verbs.

The rule: a form chooses; whether it can be done is the verb's to say.
"""

from datetime import datetime, timedelta
from typing import Any

from django import forms

TO_COUNT = "count"
LASTS = {
    "1": ("for an hour", timedelta(hours=1)),
    "4": ("for four hours", timedelta(hours=4)),
    "24": ("for a day", timedelta(days=1)),
    "72": ("for three days", timedelta(days=3)),
}
_CHOICES = [(key, words) for key, (words, _) in LASTS.items()]


class SnoozeForm(forms.Form):
    lasts = forms.ChoiceField(
        label="Do not ask about it", choices=[*_CHOICES, (TO_COUNT, "until more are open than")]
    )
    to_count = forms.IntegerField(label="Number, for the last choice", required=False, min_value=0)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("lasts") == TO_COUNT and cleaned.get("to_count") is None:
            raise forms.ValidationError("Give the number of open letters.")
        return cleaned

    def chosen(self, now: datetime) -> dict[str, Any]:
        """Return what the verb is to be given. Of a form that is valid."""
        lasts = self.cleaned_data["lasts"]
        if lasts == TO_COUNT:
            return {"to_count": self.cleaned_data["to_count"]}
        return {"until": now + LASTS[lasts][1]}


class OwnerForm(forms.Form):
    """owner: a member of staff's number; empty for nobody."""

    owner = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


class NoteForm(forms.Form):
    # Bounded in the verb, which says how long it may be.
    words = forms.CharField(required=False, strip=True)
