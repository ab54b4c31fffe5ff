"""The short way for machines: requests of the API pass by the middleware that only browsers need.

Sessions, CSRF tokens, messages and page policies cost a third of a small request and mean nothing to
a client with a key. The rule: whatever guards every request (host, HTTPS, correlation, errors) stands
before this middleware.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, get_resolver

from trainu.problem import API_PREFIXES

# A page for people, which needs the policies of pages.
PAGES = "/api/docs"


class ShortWayMiddleware:
    """Call the views of the API at once; send everything else the whole way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(API_PREFIXES) or path.startswith(PAGES):
            return self.get_response(request)
        # Refuses a Host that is not ours, as CommonMiddleware would.
        request.get_host()
        try:
            match = get_resolver().resolve(path)
        except Resolver404:
            return self.get_response(request)
        request.resolver_match = match
        answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
        # As CommonMiddleware does; without it the server sends small answers in chunks.
        answer.headers.setdefault("Content-Length", str(len(answer.content)))
        return answer
