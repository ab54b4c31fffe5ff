"""The audit log's pages: who did what, one entry, and the export. Nothing here can change an entry.

No ModelAdmin: Django's cannot show a table with a composite key, and it would bring forms along.
"""

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from observability import health
from observability.audit import export, search
from observability.audit.actions import Action, groups
from observability.audit.recording import record
from observability.audit.search import Question
from observability.event_search import parse_key
from observability.models import AuditEntry, AuditLink, AuditVerification
from trainu import navigation
from trainu.admin_rendering import seen
from trainu.admin_site import site
from trainu.bounded_query import TooBroad
from trainu.moments import Moment

_VIEW = "observability.view_auditentry"
_EXPORT = "observability.export_auditentry"


def audit(request: HttpRequest) -> HttpResponse:
    """Show the newest entries that match the filters, a page at a time."""
    now = timezone.now()
    question = _question(request.GET)
    older_than = parse_key(request.GET.get("older", ""))
    page, too_broad = None, False
    try:
        page = search.search(question, now=now, older_than=older_than)
    except TooBroad:
        too_broad = True
    verification = AuditVerification.objects.first()
    context = site.each_context(request) | {
        "title": "Audit",
        "question": question,
        "page": page,
        "too_broad": too_broad,
        "rows": [(entry, str(search.key_of(entry))) for entry in page.entries] if page else [],
        "is_narrowed": bool(question.address),
        "is_first": older_than is None,
        "ranges": [(name, words) for name, (words, _) in search.RANGES.items()],
        "groups": groups(),
        "actor_kinds": AuditEntry.ActorKind.choices,
        "verification": verification,
        "is_late": bool(verification and now - verification.verified_at > health.AUDIT_VERIFIED_WITHIN),
        "may_export": request.user.has_perm(_EXPORT),
        "most": export.MOST,
    }
    return TemplateResponse(request, "observability/audit.html", context)


def entry(request: HttpRequest, key: str) -> HttpResponse:
    """Show one entry, what it changed, and its place in the chain."""
    parsed = parse_key(key)
    found = search.find(parsed) if parsed else None
    if found is None:
        raise Http404("There is no such entry.")
    link = AuditLink.objects.filter(entry_id=found.id).first()
    context = site.each_context(request) | {
        "title": "Audit",
        "subtitle": found.action,
        "entry": found,
        "changes": [(seen(name), _pair(pair)) for name, pair in sorted(found.changes.items())],
        "link": link,
        "hash": bytes(link.hash).hex() if link else "",
        "actor_url": _actor_url(request, found),
        "target_url": _record_url(request, found.target_type, found.target_id),
    }
    return TemplateResponse(request, "observability/audit_entry.html", context)


@require_POST
def export_entries(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Answer with the filtered entries as a file; the export is an entry itself."""
    question = _question(request.POST)
    kind = request.POST.get("format", "")
    if kind not in export.FORMATS:
        return HttpResponse("Choose csv or jsonl.", status=400, content_type="text/plain")
    now = timezone.now()
    try:
        rows = search.count(question, now=now, most=export.MOST)
    except TooBroad:
        messages.error(request, "That would take too long. Choose a shorter time, or add a filter.")
        return HttpResponseRedirect(f"{reverse('admin:audit')}?{question.address}")
    record(
        Action.DATA_EXPORT,
        target=("observability.auditentry", ""),
        changes={
            "rows": (None, rows),
            "format": (None, kind),
            "range": (None, question.range),
            **{field: (None, word) for field, word in question.filters.items()},
        },
    )
    content = export.lines(search.stream(question, now=now, most=export.MOST), kind)
    answer = StreamingHttpResponse(content, content_type=export.FORMATS[kind])
    answer["Content-Disposition"] = f'attachment; filename="audit-{now:%Y%m%d-%H%M%S}.{kind}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _actor_url(request: HttpRequest, found: AuditEntry) -> str:
    kind, _, key = found.actor_id.partition(":")
    return _record_url(request, "auth.user", key) if kind == AuditEntry.ActorKind.STAFF else ""


def _record_url(request: HttpRequest, kind: str, key: str) -> str:
    """Return the address of a record that the reader may open; empty where there is none. It may be gone."""
    app, _, model = kind.partition(".")
    if not (key and model and navigation.may(request.user, f"{app}.view_{model}")):
        return ""
    try:
        return reverse(f"admin:{app}_{model}_change", args=[key])
    except NoReverseMatch:
        return ""


def _pair(pair: Any) -> tuple[str, str] | None:
    """Return before and after in words; None where the entry does not hold them."""
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    return _words(pair[0]), _words(pair[1])


def _words(value: Any) -> str:
    if value is None:
        return "–"  # noqa: RUF001
    return seen(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _question(sent: Any) -> Question:
    def word(field: str) -> str:
        # PostgreSQL's text holds no NUL, so nothing that is stored could match one.
        return str(sent.get(field, "")).replace("\x00", "").strip()[:200]

    def one_of(field: str, known: Any, default: str = "") -> str:
        return word(field) if word(field) in known else default

    return Question(
        range=one_of("range", search.RANGES, search.DEFAULT_RANGE),
        group=one_of("group", dict(groups())),
        actor_kind=one_of("actor_kind", AuditEntry.ActorKind.values),
        actor_id=word("actor_id"),
        target=word("target"),
        correlation_id=word("correlation_id"),
    )


def _history(target_kind: str, target_id: str) -> list[Moment]:
    """Return what was done to a record; nothing where that would take too long, for it is told in passing."""
    try:
        return search.history(target_kind, target_id, now=timezone.now())
    except TooBroad:
        return []


site.register_history(_history, permission=_VIEW)
site.register_view("audit/", audit, "audit", permission=_VIEW)
site.register_view("audit/export/", export_entries, "audit_export", permission=_EXPORT)
site.register_view("audit/<str:key>/", entry, "audit_entry", permission=_VIEW)
