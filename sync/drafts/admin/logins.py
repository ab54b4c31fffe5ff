"""Trainers' logins: which account is which trainer.

The rules: whoever gets one may sign in here and is in the trainers' group; whoever loses it leaves the group.
Both are in the audit log, as is the login itself.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sync.drafts import intake
from sync.models import TrainerLogin
from trainu.admin_records import Explained, Newest
from trainu.admin_rendering import pill
from trainu.roles import TRAINER
from trainu.templatetags.time import ago


class TrainerForm(forms.ModelForm):  # type: ignore[type-arg]
    """Which trainer, by an id that an app can name."""

    class Meta:
        model = TrainerLogin
        fields = ("trainer_id",)

    def clean_trainer_id(self) -> str:
        trainer_id: str = self.cleaned_data["trainer_id"]
        if not intake.ID.fullmatch(trainer_id):
            raise ValidationError(
                "An id has letters, digits and _ . : - in it, and begins with a letter or digit."
            )
        return trainer_id


class LoginForm(TrainerForm):
    """Which account, by its username, which is how whoever made it knows it."""

    username = forms.CharField(
        max_length=150,
        help_text="Of an account that is there already. It may sign in from now on.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"}),
    )

    def clean_username(self) -> User:
        user = User.objects.filter(username=self.cleaned_data["username"].strip(), is_active=True).first()
        if user is None:
            raise ValidationError("There is no active account of this name. Make it first, under Users.")
        if TrainerLogin.objects.filter(user=user).exists():
            raise ValidationError("This account is a trainer's already.")
        return user


@admin.register(TrainerLogin)
class TrainerLoginAdmin(Explained):
    heading = "Trainers' logins"
    intro = (
        "Which account is which trainer. A trainer signs in here, and sees their own drafts in the AI Inbox"
        " and nothing else."
    )
    nothing_yet = "Make an account under Users first, then say here which trainer it is."
    audited_values = ("trainer_id",)
    list_display = ("trainer_id", "account", "may_sign_in", "last_here")
    list_select_related = ("user",)
    search_fields = ("trainer_id__exact", "user__username")
    search_help_text = "Trainer's id, or username"
    list_per_page = 50
    paginator = Newest
    actions = None
    form = TrainerForm

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs | ({} if change else {"form": LoginForm}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("account", "trainer_id") if obj else ("username", "trainer_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("account",) if obj else ()

    def save_model(self, request: HttpRequest, obj: TrainerLogin, form: Any, change: bool) -> None:
        if not change:
            user: User = form.cleaned_data["username"]
            obj.user = user
            user.is_staff = True
            user.save(update_fields=["is_staff"])
            user.groups.add(_group())
            self.log_change(request, user, f"May sign in, and is in the group {TRAINER.name}.")
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: TrainerLogin) -> None:
        obj.user.groups.remove(_group())
        self.log_change(request, obj.user, f"Is not in the group {TRAINER.name} any more.")
        super().delete_model(request, obj)

    @admin.display(description="Account", ordering="user__username")
    def account(self, login: TrainerLogin) -> str:
        return str(login.user.get_username())

    @admin.display(description="Signs in")
    def may_sign_in(self, login: TrainerLogin) -> SafeString:
        user: User = login.user
        return pill("Yes", "ok") if user.is_active and user.is_staff else pill("No", "warn")

    @admin.display(description="Last here")
    def last_here(self, login: TrainerLogin) -> str:
        user: User = login.user
        return ago(user.last_login) or "never"


def _group() -> Group:
    return Group.objects.get(name=TRAINER.name)
