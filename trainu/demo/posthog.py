"""A PostHog for the demo: takes batches as the real one does, and counts what is new and what is repeated.

Run as `python -m trainu.demo.posthog PORT`; GET / tells the counts. It listens on loopback only.
"""

import json

from trainu.demo.loopback import LoopbackHandler, serve


class PostHog(LoopbackHandler):
    seen: set[str] = set()
    repeated = 0

    def do_POST(self) -> None:
        for event in json.loads(self.body())["batch"]:
            if event["uuid"] in PostHog.seen:
                PostHog.repeated += 1
            PostHog.seen.add(event["uuid"])
        self.answer({"status": "Ok"})

    def do_GET(self) -> None:
        self.answer({"events": len(PostHog.seen), "repeated": PostHog.repeated})


if __name__ == "__main__":
    serve(PostHog)
