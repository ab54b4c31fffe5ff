"""Pages of records in the admin: each change audited, lists that say what they show, verbs by POST alone.

Kernel: imports no app. The rules: every admin class descends from `Audited` (a test holds it), those of
Django's own models too; one transaction holds act and entry, which comes from the observer's receivers or
from the verb. A verb on one record is a POST, checks its permission, and finds the record as the list does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

Shown = TypeVar("Shown", bound=Callable[..., Any])
_for_history_only: ContextVar[bool] = ContextVar("admin_history_only", default=False)


@contextmanager
def history_only() -> Iterator[None]:
    """Let Django's admin keep its own note of a verb that records itself: one act, one entry."""
    token = _for_history_only.set(True)
    try:
        yield
    finally:
        _for_history_only.reset(token)


def is_history_only() -> bool:
    """Whether what the admin notes now has been recorded by the verb itself."""
    return _for_history_only.get()


def for_reading(view: Shown) -> Shown:
    """Let a page of records only be read: 403 for who may not see them, 405 for all but GET and HEAD."""

    @wraps(view)
    def guarded(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        return view(self, request, *args, **kwargs)

    return cast(Shown, guarded)


class Audited(admin.ModelAdmin):  # type: ignore[type-arg]
    """Records whose every change is audited. Verbs that record themselves call `note` for the history."""

    # Form fields whose values the log may show: never personal, never secret, never long.
    audited_values: Sequence[str] = ()

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        request.audited_changes = _changes(form, self.audited_values)  # type: ignore[attr-defined]
        return super().construct_change_message(request, form, formsets, add)

    def response_action(self, *args: Any, **kwargs: Any) -> Any:
        # Django opens a transaction for forms, but none for the actions of a list.
        with transaction.atomic():
            return super().response_action(*args, **kwargs)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        # One by one: several at once Django writes by bulk_create, which sends no signal.
        log_one: Any = super().log_deletions
        return [entry for obj in queryset for entry in log_one(request, [obj])]

    def note(self, request: HttpRequest, obj: Any, words: str) -> None:
        """Write a verb into the record's own history; the verb has recorded itself."""
        with history_only():
            self.log_change(request, obj, words)

    def verb_path(
        self, name: str, verb: Callable[[HttpRequest, Any], HttpResponseBase], permission: str
    ) -> URLPattern:
        """Return the address of a verb on one record: its own address with /`name`/ behind it.

        verb: is given the request and the record. permission: "app.codename" that the caller must hold. Its
        URL is called admin:app_model_name. A GET is 405, a missing permission 403, a record that the list
        would not show 404.
        """

        def view(request: HttpRequest, object_id: str) -> HttpResponseBase:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            obj = self.get_object(request, unquote(object_id))
            if obj is None:
                raise Http404("There is no such record.")
            return verb(request, obj)

        view.permission = permission  # type: ignore[attr-defined]
        meta = self.opts
        return path(
            f"<path:object_id>/{name}/",
            self.admin_site.admin_view(require_POST(view)),
            name=f"{meta.app_label}_{meta.model_name}_{name}",
        )


class Explained(Audited):
    """A list that says what it shows. heading: where the model's own plural is not what staff call it."""

    heading = ""
    intro = ""
    # What stands below "No … yet": what will come here, and what to do about it.
    nothing_yet = ""
    # Django would count the whole table a second time, for "(3 of 500 in all)" beside a filtered list.
    show_full_result_count = False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        words = {"heading": self.heading, "intro": self.intro, "nothing_yet": self.nothing_yet}
        return super().changelist_view(request, words | (extra_context or {}))


class ReadOnly(Explained):
    """A list of what the service writes and staff only read."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Newest(Paginator):  # type: ignore[type-arg]
    """Pages through the first thousand rows of a list and counts no further, however long it is."""

    MOST = 1_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


def _changes(form: BaseForm, harmless: Iterable[str]) -> dict[str, tuple[Any, Any] | None]:
    """Return the changed fields of a form, with before and after of those that are called harmless."""
    wanted = set(harmless)
    return {
        name: (form.get_initial_for_field(form.fields[name], name), form.cleaned_data.get(name))
        if name in wanted
        else None
        for name in form.changed_data
        if name in form.fields
    }
