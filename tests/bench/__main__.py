"""`uv run python -m tests.bench NAME` measures one thing on this machine and prints it as JSON."""

import argparse
import json
import sys

from tests.bench import NAMES, admin, dashboards, drafts, forward, ingest, purge, sync

BENCHES = dict(
    zip(
        NAMES,
        (admin.main, dashboards.main, drafts.main, forward.main, ingest.main, purge.main, sync.main),
        strict=True,
    )
)

parser = argparse.ArgumentParser(prog="tests.bench")
parser.add_argument("name", choices=NAMES)
parser.add_argument("--clients", type=int, default=32, help="connections at once (ingest)")
parser.add_argument("--rows", type=int, default=purge.ROWS, help="rows to remove (purge)")
parser.add_argument("--jobs", type=int, default=20_000, help="jobs of a case (sync)")
parser.add_argument("--letters", type=int, default=admin.LETTERS, help="dead letters (admin)")
parser.add_argument("--events", type=int, default=dashboards.EVENTS, help="stored events (dashboards)")
parser.add_argument(
    "--drafts", type=int, default=400, help="drafts (drafts); above 400 their equal texts stop all messages"
)
arguments = parser.parse_args()
size = {
    "admin": arguments.letters,
    "dashboards": arguments.events,
    "drafts": arguments.drafts,
    "purge": arguments.rows,
    "sync": arguments.jobs,
}.get(arguments.name, arguments.clients)
json.dump(BENCHES[arguments.name](size), sys.stdout, indent=2)
print()
