"""The admin site that everything registers on: the frame, and how apps put pages and numbers into it.

The rule: the frame imports no app. Apps call `site.register_view`, `site.register_overview` and
`site.register_badge` from their admin.py, which Django imports before it reads the URLs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from trainu import navigation

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Card:
    """One number on the Overview. url: where the work for it is; tone colours the value."""

    title: str
    value: str | int
    detail: str = ""
    url: str = ""
    tone: Literal["", "ok", "warn", "bad", "info"] = ""


class TrainuAdminSite(admin.AdminSite):
    site_header = "TrainU observability"
    site_title = "TrainU observability"
    index_title = "Overview"
    # The root redirects here, so "View site" would lead in a circle.
    site_url = None

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._views: list[tuple[str, View, str]] = []
        self._overview: list[tuple[Callable[[HttpRequest], Sequence[Card]], str]] = []
        self._badges: dict[str, Callable[[], int]] = {}

    def register_view(self, route: str, view: View, name: str, *, permission: str = "") -> None:
        """Serve `view` for staff at admin/`route`, as URL name admin:`name`.

        permission: "app.view_model" that the reader must hold; without it every member of staff gets in.
        """
        self._views.append((route, _guarded(view, permission), name))

    def register_overview(
        self, supply: Callable[[HttpRequest], Sequence[Card]], *, permission: str = ""
    ) -> None:
        """Show the cards that `supply` returns on the Overview, to readers who hold `permission`."""
        self._overview.append((supply, permission))

    def register_badge(self, url_name: str, count: Callable[[], int]) -> None:
        """Show a count beside the sidebar entry `url_name`; it is asked at most twice a minute."""
        self._badges[url_name] = count

    def get_urls(self) -> list[URLPattern | URLResolver]:
        own: list[URLPattern | URLResolver] = [
            path(route, self.admin_view(view), name=name) for route, view, name in self._views
        ]
        # Ours first: Django's list ends in a pattern that catches everything.
        return own + super().get_urls()

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        context["navigation"] = navigation.menus(request, self._badges) if context["has_permission"] else []
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        cards = [
            card
            for supply, permission in self._overview
            if navigation.may(request.user, permission)
            for card in supply(request)
        ]
        return super().index(request, {"cards": cards, **(extra_context or {})})


def _guarded(view: View, permission: str) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not navigation.may(request.user, permission):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


# Django's default site, which builds the class above at first use; typed, so that apps need no cast.
site = cast(TrainuAdminSite, admin.site)
