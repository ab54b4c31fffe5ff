"""`uv run python -m tests.bench NAME` measures one thing on this machine and prints it as JSON."""

import argparse
import json
import sys

from tests.bench import forward, ingest

BENCHES = {"ingest": ingest.main, "forward": forward.main}

parser = argparse.ArgumentParser(prog="tests.bench")
parser.add_argument("name", choices=sorted(BENCHES))
parser.add_argument("--clients", type=int, default=32, help="connections at once (ingest)")
arguments = parser.parse_args()
json.dump(BENCHES[arguments.name](arguments.clients), sys.stdout, indent=2)
print()
