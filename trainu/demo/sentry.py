"""A Sentry for the demo: takes envelopes as the real one does, and counts them.

Run as `python -m trainu.demo.sentry PORT`; GET / tells the count. It listens on loopback only.
"""

from trainu.demo.loopback import LoopbackHandler, serve


class Sentry(LoopbackHandler):
    envelopes = 0

    def do_POST(self) -> None:
        self.body()
        Sentry.envelopes += 1
        self.answer({"id": "0" * 32})

    def do_GET(self) -> None:
        self.answer({"envelopes": Sentry.envelopes})


if __name__ == "__main__":
    serve(Sentry)
