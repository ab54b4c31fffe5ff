"""`uv run python -m tests.bench NAME` measures one thing on this machine and prints it as JSON."""

import argparse
import json
import sys

from tests.bench import NAMES, forward, ingest

BENCHES = dict(zip(NAMES, (forward.main, ingest.main), strict=True))

parser = argparse.ArgumentParser(prog="tests.bench")
parser.add_argument("name", choices=NAMES)
parser.add_argument("--clients", type=int, default=32, help="connections at once (ingest)")
arguments = parser.parse_args()
json.dump(BENCHES[arguments.name](arguments.clients), sys.stdout, indent=2)
print()
