"""The form for a rule's terms: a help to each field, shares in per cent, and what would change by it.

The rule: only what differs from what the form was opened with is changed; whoever comes second is told.
"""

from copy import copy
from typing import Any

from django import forms

from observability.alerts import demands, rules
from observability.models import AlertRule
from observability.models.alert import Severity

_WEEK = 10_080
_MOST_CASES = 1_000_000
_ALL = 100
_HELP = {
    "severity": "SEV1 goes everywhere at once, SEV2 to Slack, SEV3 into the daily digest: see Told on.",
    "recovery": "At or below it, it is well again. Below the threshold, or it flaps.",
    "window_minutes": "So many minutes are looked at together. More: calmer, and later.",
    "min_sample": "With fewer cases in the window nothing is known, and nothing changes.",
    "min_bad": "With fewer bad cases in the window nothing fires.",
    "needs_confidence": (
        "Fires later, but not by chance: with few cases a share jumps. Tick it for what wakes people."
    ),
    "for_minutes": "It must be beyond the threshold for so long on end. 0: at once.",
    "recovery_minutes": "It must be well for so long on end, four times that where it flaps.",
    "repeat_minutes": "Told again so often until somebody acknowledges it. 0: once.",
    "channels": "SEV3 on email waits for the daily digest.",
    "is_enabled": "A rule that is off opens nothing, and what it has opened is resolved within a minute.",
}
_LABELS = {
    "severity": "Severity",
    "threshold": "Threshold",
    "recovery": "Well again at",
    "window_minutes": "Window, minutes",
    "min_sample": "Least cases",
    "min_bad": "Least bad cases",
    "needs_confidence": "Only where chance does not explain it",
    "for_minutes": "For, minutes",
    "recovery_minutes": "Well for, minutes",
    "repeat_minutes": "Told again every, minutes",
    "channels": "Told on",
    "is_enabled": "On",
}
_CHANNELS = [("slack", "Slack"), ("pagerduty", "PagerDuty"), ("email", "Email")]
_CHANGED = (
    "Somebody has changed this rule since you opened it. What it says now is beside the fields; compare, and"
    " save again."
)


class TermsForm(forms.Form):
    severity = forms.ChoiceField(choices=Severity.choices)
    threshold = forms.FloatField(min_value=0, max_value=1e12)
    recovery = forms.FloatField(min_value=0, max_value=1e12)
    window_minutes = forms.IntegerField(min_value=1, max_value=_WEEK)
    for_minutes = forms.IntegerField(min_value=0, max_value=_WEEK)
    recovery_minutes = forms.IntegerField(min_value=0, max_value=_WEEK)
    min_sample = forms.IntegerField(min_value=0, max_value=_MOST_CASES)
    min_bad = forms.IntegerField(min_value=0, max_value=_MOST_CASES)
    needs_confidence = forms.BooleanField(required=False)
    repeat_minutes = forms.IntegerField(min_value=0, max_value=_WEEK)
    channels = forms.MultipleChoiceField(
        choices=_CHANNELS, required=False, widget=forms.CheckboxSelectMultiple
    )
    is_enabled = forms.BooleanField(required=False)
    # As the rule was when the form was opened.
    opened = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, rule: AlertRule, data: Any = None) -> None:
        self.rule = rule
        self.is_share = demands.unit(rule) == "share"
        now = {name: self._shown(name) for name in rules.TERMS}
        super().__init__(data, initial=now | {"opened": _version(rule)}, label_suffix="")
        for name in set(self.fields) - set(rules.TERMS) - {"opened"}:
            # A release may keep a term to itself.
            del self.fields[name]
        for name, one in self.fields.items():
            one.label, one.help_text = _LABELS.get(name, ""), _HELP.get(name, "")
            if name in {"threshold", "recovery"}:
                one.label += f", {self._unit()}"
                one.widget.attrs["step"] = "any"
        self.fields["threshold"].help_text = f"Above it, something is wrong. {demands.what(rule)}."

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("opened", "") != _version(self.rule):
            # Whoever saves once more has seen what is saved by now.
            self.data = {**self.data, "opened": _version(self.rule)}
            raise forms.ValidationError(_CHANGED)
        threshold, recovery = cleaned.get("threshold"), cleaned.get("recovery")
        for name in ("threshold", "recovery"):
            if self.is_share and (cleaned.get(name) or 0) > _ALL:
                self.add_error(name, "A share is 100 per cent at most. Write less.")
        if threshold is not None and recovery is not None and recovery > threshold:
            self.add_error("recovery", "It would be well again beyond the threshold. Set it within.")
        return cleaned

    def changes(self) -> dict[str, Any]:
        """Return what differs from the saved terms, in the measure's own unit. Of a form that is valid."""
        found = {name: self._meant(name) for name in self.fields if name in self.cleaned_data}
        found.pop("opened", None)
        return {name: value for name, value in found.items() if value != self._saved(name)}

    def proposed(self) -> AlertRule:
        """Return the rule with the form's terms, not saved."""
        rule = copy(self.rule)
        for name, value in self.changes().items():
            setattr(rule, name, value)
        return rule

    def rows(self) -> list[tuple[Any, str]]:
        """Return the fields in order, and what is saved of each where something else was typed."""
        return [
            (one, self._saved_in_words(one.name) if self.is_bound and one.name in self.changed_data else "")
            for one in self.visible_fields()
        ]

    def _unit(self) -> str:
        return {"share": "per cent", "seconds": "seconds"}.get(demands.unit(self.rule), "number")

    def _saved(self, name: str) -> Any:
        return getattr(self.rule, name)

    def _shown(self, name: str) -> Any:
        value = getattr(self.rule, name)
        if name in {"threshold", "recovery"}:
            # Without the tail that binary fractions have: 7 per cent, not 7.000000000000001.
            shown = float(f"{value * 100 if self.is_share else value:.12g}")
            return int(shown) if shown.is_integer() else shown
        return value

    def _meant(self, name: str) -> Any:
        value = self.cleaned_data[name]
        if name in {"threshold", "recovery"}:
            return (
                self._saved(name) if value == self._shown(name) else (value / 100 if self.is_share else value)
            )
        return value

    def _saved_in_words(self, name: str) -> str:
        value = self._shown(name)
        if isinstance(value, bool):
            return "yes" if value else "no"
        return (
            ", ".join(value)
            if isinstance(value, list)
            else f"{value:g}"
            if isinstance(value, float)
            else str(value)
        )


def _version(rule: AlertRule) -> str:
    return rule.changed_at.isoformat() if rule.changed_at else ""
