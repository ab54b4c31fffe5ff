"""Where a verb was asked for, and so where whoever asked goes on: several pages have the same button.

The rule: only pages of ours are gone back to; a form cannot lead anywhere else.
"""

from urllib.parse import parse_qsl, urlencode, urlsplit

from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

_PAGES = ("admin:sync_flight", "admin:sync_syncjob_changelist")


def back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """Return the way back to the page that the form's `back` names, or else to `otherwise`."""
    try:
        asked = urlsplit(request.POST.get("back", "")[:2000])
    except ValueError:
        return HttpResponseRedirect(otherwise)
    if asked.scheme or asked.netloc or asked.path not in {reverse(name) for name in _PAGES}:
        return HttpResponseRedirect(otherwise)
    query = urlencode(parse_qsl(asked.query))
    return HttpResponseRedirect(f"{asked.path}?{query}" if query else asked.path)
