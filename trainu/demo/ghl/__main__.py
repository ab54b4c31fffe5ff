"""The simulated GoHighLevel as a process: `python -m trainu.demo.ghl --port N --seed S`.

The rule: it serves until it is ended; what it knows ends with it.
"""

import argparse
import asyncio
import contextlib

from trainu.demo.ghl.server import Simulator, populate

# Of all requests, so that every outcome is to be seen within minutes.
ROUGH = {"503": 0.02, "429": 0.01, "reset_after": 0.01, "reset": 0.005, "500": 0.01}


def main() -> None:
    """Parse the arguments, fill the world, serve."""
    parser = argparse.ArgumentParser(prog="python -m trainu.demo.ghl", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--locations", type=int, default=0, help="studios to begin with")
    parser.add_argument("--contacts", type=int, default=20, help="people in each of them")
    parser.add_argument("--webhooks", default="", help="the URL that receives webhooks, on loopback")
    parser.add_argument("--trickle-s", type=float, default=0.0, help="seconds between two acts of staff")
    parser.add_argument("--no-limits", action="store_true", help="no rate limits, for benchmarks")
    parser.add_argument("--rough", action="store_true", help="some requests fail, in every way")
    given = parser.parse_args()
    simulator = Simulator(seed=given.seed, limits=not given.no_limits)
    populate(simulator, locations=given.locations, contacts_each=given.contacts)
    simulator.world.fresh_ids()
    for kind, probability in ROUGH.items() if given.rough else ():
        simulator.fail(kind, probability=probability, retry_after=5 if kind == "429" else None)
    simulator.deliver(url=given.webhooks)
    simulator.trickle_every_s = given.trickle_s
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(simulator.run(given.port))


main()
