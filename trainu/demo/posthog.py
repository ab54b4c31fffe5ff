"""A PostHog for the demo: takes batches as the real one does, counts what is new and what is repeated, and
holds dashboards for `posthog_dashboards`.

Run as `python -m trainu.demo.posthog PORT`; GET / tells the counts. It listens on loopback only, and knows
dashboards only for as long as it runs.
"""

import json
import threading

from trainu.demo.loopback import LoopbackHandler, serve
from trainu.demo.posthog_project import Project


class PostHog(LoopbackHandler):
    seen: set[str] = set()
    repeated = 0
    project = Project()
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.body())
        if self.path.startswith("/api/"):
            self._answer_of_project("POST", body)
            return
        for event in body["batch"]:
            if event["uuid"] in PostHog.seen:
                PostHog.repeated += 1
            PostHog.seen.add(event["uuid"])
        self.answer({"status": "Ok"})

    def do_PATCH(self) -> None:
        self._answer_of_project("PATCH", json.loads(self.body()))

    def do_GET(self) -> None:
        if self.path.startswith("/api/"):
            self._answer_of_project("GET", None)
            return
        self.answer({"events": len(PostHog.seen), "repeated": PostHog.repeated})

    def _answer_of_project(self, method: str, body: dict[str, object] | None) -> None:
        with PostHog.lock:
            PostHog.project.url = f"http://{self.headers.get('Host', '')}"
            status, document = PostHog.project.answer(method, self.path, body)
        self.answer(document, status=status)


if __name__ == "__main__":
    serve(PostHog)
