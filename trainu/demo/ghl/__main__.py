"""The simulated GoHighLevel as a process: `python -m trainu.demo.ghl --port N --seed S`.

The rule: it serves until it is ended; what it knows ends with it.
"""

import argparse
import asyncio
import contextlib

from trainu.demo.ghl.server import Simulator, populate


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
    given = parser.parse_args()
    simulator = Simulator(seed=given.seed, limits=not given.no_limits)
    populate(simulator, locations=given.locations, contacts_each=given.contacts)
    simulator.world.fresh_ids()
    simulator.deliver(url=given.webhooks)
    simulator.trickle_every_s = given.trickle_s
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(simulator.run(given.port))


main()
