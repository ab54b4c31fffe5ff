"""The admin site that everything registers on: the frame, and how apps put pages and numbers into it.

The rule: the frame imports no app. Apps call `site.register_…` from their admin.py, which Django imports
before it reads the URLs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Literal, TypeVar, cast

from django.contrib import admin
from django.contrib.auth.models import PermissionsMixin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from trainu import navigation
from trainu.moments import Moment

View = Callable[..., HttpResponseBase]
Supply = TypeVar("Supply", bound=Callable[..., Any])


@dataclass(frozen=True)
class Card:
    """One number on the Overview. url: where the work for it is; tone colours the value."""

    title: str
    value: str | int
    detail: str = ""
    url: str = ""
    tone: Literal["", "ok", "warn", "bad", "info"] = ""


@dataclass(frozen=True)
class Need:
    """Something that a person has to do now, on the home page. title: what, in a sentence; url: where.

    detail: what is known about it, and the next step. since: when it began. urgency: 1 is for right now
    (people get what they should not, or nothing), 2 for today, 3 for when there is time.
    """

    title: str
    url: str
    detail: str = ""
    since: datetime | None = None
    urgency: Literal[1, 2, 3] = 2

    @property
    def urgency_words(self) -> str:
        return {1: "Right now", 2: "Today", 3: "When there is time"}[self.urgency]

    @property
    def tone(self) -> str:
        return {1: "bad", 2: "warn", 3: "info"}[self.urgency]


@dataclass(frozen=True)
class Banner:
    """A line above every page, while something is held that staff would otherwise wonder about."""

    words: str
    url: str = ""
    tone: Literal["warn", "bad", "info"] = "warn"


class TrainuAdminSite(admin.AdminSite):
    site_header = "TrainU observability"
    site_title = "TrainU observability"
    index_title = "Home"
    # The root redirects here, so "View site" would lead in a circle.
    site_url = None

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._views: list[tuple[str, View, str, str]] = []
        self._parts: list[tuple[str, View, str]] = []
        self._overview: list[tuple[Callable[[HttpRequest], Sequence[Card]], str]] = []
        self._badges: dict[str, Callable[[], int]] = {}
        self._badge_permissions: dict[str, str] = {}
        self._needs: list[tuple[Callable[[HttpRequest], Sequence[Need]], str]] = []
        self._banners: list[tuple[Callable[[], Sequence[Banner]], str]] = []
        self._histories: list[tuple[Callable[[str, str], Sequence[Moment]], str]] = []
        self._finder: tuple[str, Callable[[HttpRequest], bool]] | None = None
        self._home: tuple[str, frozenset[str]] | None = None

    def register_view(
        self, route: str, view: View, name: str, *, permission: str = "", page: str = ""
    ) -> None:
        """Serve `view` for staff at admin/`route`, as URL name admin:`name`.

        permission: "app.view_model" that the reader must hold; without it every member of staff gets in.
        page: URL name, with the same arguments, of where to lead who posts signed out and then signs in.
        """
        self._views.append((route, _guarded(view, permission), name, page))

    def register_part(self, route: str, view: View, name: str) -> None:
        """Serve a part of a page that asks for itself again, at admin/`route`, as URL name admin:`name`.

        Nobody is sent to sign in there, since a login page has no place inside a page: the view asks for
        permission itself.
        """
        self._parts.append((route, view, name))

    def register_overview(
        self, supply: Callable[[HttpRequest], Sequence[Card]], *, permission: str = ""
    ) -> None:
        """Show the cards that `supply` returns on the Overview, to readers who hold `permission`."""
        self._overview.append((supply, permission))

    def register_badge(self, url_name: str, count: Callable[[], int], *, permission: str = "") -> None:
        """Show a count beside the sidebar entry `url_name`; it is asked at most twice a minute.

        permission: what a reader must hold, for all readers are told the same number.
        """
        self._badges[url_name] = count
        self._badge_permissions[url_name] = permission

    def register_need(self, supply: Callable[[HttpRequest], Sequence[Need]], *, permission: str) -> None:
        """Show on the home page what `supply` says that a person has to do, to who holds `permission`."""
        self._needs.append((supply, permission))

    def register_banner(self, supply: Callable[[], Sequence[Banner]], *, permission: str) -> None:
        """Show lines above every page to who holds `permission`. Asked on each of them: one cheap query."""
        self._banners.append((supply, permission))

    def register_history(self, supply: Callable[[str, str], Sequence[Moment]], *, permission: str) -> None:
        """Have `supply` tell what was done to a record, given its kind (such as sync.deadletter) and id."""
        self._histories.append((supply, permission))

    def register_finder(self, url_name: str, may: Callable[[HttpRequest], bool]) -> None:
        """Put a search box above every page whose GET goes to `url_name` with ?id=, for readers who `may`."""
        self._finder = (url_name, may)

    def register_home(self, url_name: str, permissions: frozenset[str]) -> None:
        """Lead who holds no other permissions than these from Home to `url_name`: they have one page here.

        Their frame is as small: what is for every member of staff is left out of it.
        """
        self._home = url_name, permissions

    def needs(self, request: HttpRequest) -> list[Need]:
        """Return what this reader can do something about, the most urgent first, of these the oldest."""
        found = [need for supply in self._allowed(self._needs, request) for need in supply(request)]
        latest = datetime.max.replace(tzinfo=UTC)
        return sorted(found, key=lambda need: (need.urgency, need.since or latest))

    def history(self, request: HttpRequest, target_kind: str, target_id: str) -> list[Moment]:
        """Return what was done to a record, as far as this reader may know it, oldest first."""
        found = [
            moment
            for supply in self._allowed(self._histories, request)
            for moment in supply(target_kind, target_id)
        ]
        return sorted(found, key=lambda moment: moment.at)

    def _allowed(self, registered: Iterable[tuple[Supply, str]], request: HttpRequest) -> list[Supply]:
        return [supply for supply, permission in registered if navigation.may(request.user, permission)]

    def get_urls(self) -> list[URLPattern | URLResolver]:
        own: list[URLPattern | URLResolver] = [
            path(route, self._posted_from(page, self.admin_view(view)), name=name)
            for route, view, name, page in self._views
        ]
        own += [path(route, view, name=name) for route, view, name in self._parts]
        own.append(path("overview/", self.admin_view(self.overview), name="overview"))
        # Ours first: Django's list ends in a pattern that catches everything.
        return own + super().get_urls()

    def _posted_from(self, page: str, view: View) -> View:
        """Have who posts signed out led to a page that can be opened: the address of a POST cannot."""
        if not page:
            return view

        @wraps(view)
        def led(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST" and not self.has_permission(request):
                there = reverse(f"admin:{page}", args=args, kwargs=kwargs)
                return redirect_to_login(there, reverse("admin:login"))
            return view(request, *args, **kwargs)

        return led

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        is_staff = context["has_permission"]
        has_one_page = bool(is_staff and self._only_page(request))
        context["has_one_page"] = has_one_page
        context["finder"] = self._finder_url(request) if is_staff and not has_one_page else ""
        context["navigation"] = (
            navigation.menus(request, self._counts(request), is_small=has_one_page) if is_staff else []
        )
        context["banners"] = (
            [banner for supply in self._allowed(self._banners, request) for banner in supply()]
            if is_staff
            else []
        )
        return context

    def _only_page(self, request: HttpRequest) -> str:
        """Return the address of the one page that a reader has here; empty for everybody else."""
        if self._home is None or not isinstance(request.user, PermissionsMixin) or request.user.is_superuser:
            return ""
        url_name, permissions = self._home
        held = request.user.get_all_permissions()
        return reverse(url_name) if held and held <= permissions else ""

    def _counts(self, request: HttpRequest) -> dict[str, Callable[[], int]]:
        return {
            url_name: count
            for url_name, count in self._badges.items()
            if navigation.may(request.user, self._badge_permissions.get(url_name, ""))
        }

    def _finder_url(self, request: HttpRequest) -> str:
        if self._finder is None:
            return ""
        url_name, may = self._finder
        return reverse(url_name) if may(request) else ""

    def index(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Answer with what needs this reader now, and nothing else."""
        if only_page := self._only_page(request):
            return HttpResponseRedirect(only_page)
        asked = self._allowed(self._needs, request)
        needs = {"needs": self.needs(request), "is_asked": bool(asked)}
        return super().index(request, {**needs, **(extra_context or {})})

    def overview(self, request: HttpRequest) -> TemplateResponse:
        """Answer with the numbers of all apps, their records, and what the reader changed last."""
        cards = [card for supply in self._allowed(self._overview, request) for card in supply(request)]
        context = {"title": "Overview", "cards": cards, "app_list": self.get_app_list(request)}
        return TemplateResponse(request, "admin/overview.html", self.each_context(request) | context)


def _guarded(view: View, permission: str) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not navigation.may(request.user, permission):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    guarded.permission = permission  # type: ignore[attr-defined]
    return guarded


# Django's default site, which builds the class above at first use; typed, so that apps need no cast.
site = cast(TrainuAdminSite, admin.site)
