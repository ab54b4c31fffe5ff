"""What workers do, in our words: django-q2's tables of what repeats, waits, failed and was done.

The rule: a schedule or a task names any Python function, so only superusers write one; and seeing a
list is no permission to run what it lists (django-q2's own admin lets every reader do so).
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

# It registers its own pages when it is imported; ours take their place.
import django_q.admin  # noqa: F401
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.tasks import async_task

from observability.audit.actions import Action
from observability.audit.recording import record
from observability.redaction import redact
from trainu import schedules
from trainu.admin_records import Explained, ReadOnly
from trainu.admin_rendering import block, code, cut, pill
from trainu.templatetags.time import ago

for model in (Schedule, Failure, Success, OrmQ):
    admin.site.unregister(model)


class TaskAdmin(ReadOnly):
    list_filter = ["func", "started"]
    search_fields = ["name", "func", "group"]
    search_help_text = "Function, schedule or name"
    readonly_fields = (
        "function",
        "schedule",
        "task_name",
        "arguments",
        "begun",
        "ended",
        "took",
        "attempts",
        "outcome",
    )
    fields = readonly_fields

    # Methods where a field would do: a field would bring django-q2's help for developers along.
    @admin.display(description="Function", ordering="func")
    def function(self, task: Any) -> str:
        return str(task.func)

    @admin.display(description="Name")
    def task_name(self, task: Any) -> str:
        return str(task.name)

    @admin.display(description="Attempts")
    def attempts(self, task: Any) -> int:
        return int(task.attempt_count)

    @admin.display(description="Schedule", ordering="group")
    def schedule(self, task: Any) -> str:
        return str(task.group or "-")

    @admin.display(description="Started", ordering="started")
    def begun(self, task: Any) -> str:
        return ago(task.started)

    @admin.display(description="Ended", ordering="stopped")
    def ended(self, task: Any) -> str:
        return ago(task.stopped)

    @admin.display(description="Took")
    def took(self, task: Any) -> str:
        seconds = task.time_taken()
        return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"

    @admin.display(description="Arguments")
    def arguments(self, task: Any) -> SafeString | str:
        named = [f"{name}={value!r}" for name, value in (task.kwargs or {}).items()]
        words = redact(", ".join([*map(repr, task.args or ()), *named]))
        return code(cut(words)) if words else "-"

    @admin.display(description="Result")
    def outcome(self, task: Any) -> SafeString | str:
        return "-" if task.result is None else block(cut(str(task.result)))


@admin.register(Success)
class SuccessAdmin(TaskAdmin):
    intro = "The last hundred tasks that workers have finished."
    nothing_yet = "Workers write here what they have done. If this stays empty, no worker is running."
    list_display = ["function", "schedule", "begun", "took"]


@admin.register(Failure)
class FailureAdmin(TaskAdmin):
    intro = (
        "Tasks that ended in an error. Schedules try again by themselves at their next time; "
        "anything else can be queued again here once its cause is mended."
    )
    nothing_yet = "No task has failed. That is how it should be."
    list_display = ["function", "schedule", "begun", "took", "error"]
    readonly_fields = (*TaskAdmin.readonly_fields, "lines")  # type: ignore[assignment]
    fields = readonly_fields  # type: ignore[assignment]
    actions = ["queue_again"]

    def has_queue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_q.change_failure")

    @admin.action(description="Queue the chosen tasks again", permissions=["queue"])
    def queue_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        queued = 0
        for task in queryset:
            again = {"hook": task.hook, "group": task.group, "cluster": task.cluster}
            async_task(task.func, *task.args or (), **again, **task.kwargs or {})
            record(Action.TASK_REQUEUE, target=task, changes={"func": (None, task.func)})
            task.delete()
            queued += 1
        self.message_user(request, f"{queued} queued again. A worker takes them within seconds.")

    @admin.display(description="Logs and trace")
    def lines(self, task: Any) -> SafeString:
        """Lead to the error lines of its last minutes, for django-q2 keeps no correlation id of a task."""
        until = task.stopped + timedelta(minutes=1)
        asked = {"level": "error", "range": "15m", "until": f"{until:%Y-%m-%dT%H:%M}", "text": "task_failed"}
        href = f"{reverse('admin:logs')}?{urlencode(asked)}"
        return format_html('<a href="{}">Failed tasks around that time, in the logs</a>', href)

    @admin.display(description="Error")
    def error(self, task: Any) -> str:
        # django-q2 writes "message : traceback".
        message = str(task.result or "").split(" : Traceback", 1)[0]
        return message if len(message) <= 200 else f"{message[:200]}…"


@admin.register(OrmQ)
class QueueAdmin(ReadOnly):
    intro = (
        "What workers are doing and what waits for one. It is empty only for moments: lanes run all the time."
    )
    nothing_yet = "Nothing waits."
    list_display = ["function", "schedule", "state_pill"]
    readonly_fields = ("function", "schedule", "state_pill", "arguments", "task_id")
    fields = readonly_fields
    ordering = ["id"]

    @admin.display(description="Function")
    def function(self, queued: Any) -> str:
        return str(queued.func())

    @admin.display(description="Schedule")
    def schedule(self, queued: Any) -> str:
        return str(queued.group() or "-")

    @admin.display(description="State", ordering="lock")
    def state_pill(self, queued: Any) -> SafeString:
        return pill("Running", "info") if queued.lock > timezone.now() else pill("Waiting", "warn")

    @admin.display(description="Arguments")
    def arguments(self, queued: Any) -> SafeString:
        return code(cut(redact(f"{queued.args() or ''} {queued.kwargs() or ''}".strip() or "-")))


@admin.register(Schedule)
class ScheduleAdmin(Explained):
    heading = "Schedules"
    intro = (
        "Work that repeats. The service's own schedules are written anew at each migration; "
        "only superusers add others, for a schedule can run any function."
    )
    list_display = ["name", "func", "every", "next_time", "last_time"]
    search_fields = ["name", "func"]
    search_help_text = "Name or function"
    fields = ["name", "func", "schedule_type", "minutes", "repeats", "next_run", "args", "kwargs"]
    audited_values = ["name", "func", "schedule_type", "minutes", "repeats", "next_run"]
    ordering = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        last = Task.objects.filter(id=OuterRef("task"))
        schedules: QuerySet[Any] = super().get_queryset(request)
        annotated: QuerySet[Any] = schedules.annotate(
            last_success=Subquery(last.values("success")), last_stopped=Subquery(last.values("stopped"))
        )
        return annotated

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Without its own schedules the service would stand still."""
        return bool(request.user.is_superuser) and (obj is None or schedules.find(obj.name) is None)

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        # It would go past has_delete_permission(obj).
        actions.pop("delete_selected", None)
        return actions

    @admin.display(description="Every", ordering="minutes")
    def every(self, schedule: Any) -> str:
        if schedule.schedule_type != Schedule.MINUTES:
            return str(schedule.get_schedule_type_display())
        return "minute" if schedule.minutes == 1 else f"{schedule.minutes} minutes"

    @admin.display(description="Next run", ordering="next_run")
    def next_time(self, schedule: Any) -> str:
        return ago(schedule.next_run)

    @admin.display(description="Last run")
    def last_time(self, schedule: Any) -> SafeString | str:
        if schedule.last_stopped is None:
            return pill("Running", "info") if schedule.task else "-"
        succeeded = schedule.last_success
        url = reverse(f"admin:django_q_{'success' if succeeded else 'failure'}_change", args=[schedule.task])
        words = pill("Done", "ok") if succeeded else pill("Failed", "bad")
        return format_html('{} <a href="{}">{}</a>', words, url, ago(schedule.last_stopped))
