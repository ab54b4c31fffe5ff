"""Where pages of dead letters lead: to what exists, and back to where a form stood.

The rule: an answer never leads to another site, whatever a form says.
"""

from django.http import HttpRequest, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme


def address(name: str, *args: object) -> str:
    """Return the address of a page or verb of the admin; empty where there is none."""
    try:
        return reverse(f"admin:{name}", args=args)
    except NoReverseMatch:
        return ""


def back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """Return the answer that leads back to where a form stood, which it says as `next`."""
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(wanted if is_ours else otherwise)
