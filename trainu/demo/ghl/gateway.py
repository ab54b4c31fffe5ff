"""From a request to its answer: faults, token, version, rate limit, endpoint, and the books kept of it.

The rule: no I/O here, and whatever takes effect does so whole, before any waiting or cutting begins.
"""

from collections.abc import Iterable

from trainu.demo.ghl.call import Call, Refused, Reply, json_reply
from trainu.demo.ghl.faults import Fault, Faults
from trainu.demo.ghl.limits import Limits
from trainu.demo.ghl.oauth import Tokens
from trainu.demo.ghl.route import Route, Router
from trainu.demo.ghl.state import World

PUBLISHED_VERSIONS = {"2021-04-15", "2021-07-28", "2023-02-21", "v3"}


class Gateway:
    """What every request passes, in the order in which the real one seems to check."""

    def __init__(
        self, world: World, tokens: Tokens, limits: Limits, faults: Faults, routes: Iterable[Route]
    ) -> None:
        self.world = world
        self.tokens = tokens
        self.limits = limits
        self.faults = faults
        self.router = Router(routes)

    def answer(self, call: Call) -> Reply:
        """Return the answer, the effect done, unless it says `late`: then call `serve` after the wait."""
        now = self.world.clock.now()
        grant = call.grant = self.tokens.grants.get(call.token)
        resource = grant.resource if grant is not None else ""
        self.world.ledger.arrived(resource, now)
        if self.faults.active:
            fault = self.faults.strike(call, resource)
            if fault is not None:
                return self._faulty(call, fault, resource, now)
        return self.serve(call)

    def serve(self, call: Call) -> Reply:
        """Return the answer of a request that no fault keeps from its effect."""
        route = self.router.find(call)
        resource = call.grant.resource if call.grant is not None else ""
        try:
            status, document = self._endpoint(call, route, resource)
        except Refused as refused:
            status, document = refused.status, refused.document
        self.world.ledger.answered(resource, route.name if route else "", status)
        headers = self.limits.headers(resource, self.world.clock.now()) if resource else None
        reply = Reply(429, b"", headers or {}) if status == 429 else json_reply(status, document, headers)
        reply.after_s = self.world.settings.latency_ms / 1000
        return reply

    def _endpoint(self, call: Call, route: Route | None, resource: str) -> tuple[int, dict[str, object]]:
        if route is None:
            raise Refused(404, f"Cannot {call.method} {call.path}")
        if route.version is not None:
            self.tokens.allow(call, route.scope)
            self._check_version(call, route.version)
            if not self.limits.take(resource, self.world.clock.now()):
                raise Refused(429, "Too Many Requests")
        return route.endpoint(self.world, call)

    def _check_version(self, call: Call, wanted: str) -> None:
        given = call.headers.get("Version")
        if given is None:
            raise Refused(401, "version header was not found.")
        if given != wanted and (self.world.settings.strict_versions or given not in PUBLISHED_VERSIONS):
            raise Refused(401, "version header is invalid")

    def _faulty(self, call: Call, fault: Fault, resource: str, now: float) -> Reply:
        if fault.before:
            reply = fault.instead(lambda over: self.limits.headers(resource, now, day_is_over=over))
            route = self.router.find(call)
            self.world.ledger.answered(resource, route.name if route else "", reply.status)
            return reply
        if fault.kind == "late":
            return Reply(late=True, after_s=fault.ms / 1000)
        return fault.spoil(self.serve(call))
