"""How many examples the dearest properties are tried with.

Few enough for every run by default. TEST_EXAMPLES=10 makes ten times as many, for a night that has the time:
`TEST_EXAMPLES=10 uv run pytest tests/sync/test_job_machine.py`.
"""

import os

TIMES = int(os.environ.get("TEST_EXAMPLES", "1"))


def examples(count: int) -> int:
    return count * TIMES
