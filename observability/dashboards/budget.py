"""What may fail: the success rate that sync is held to, and how much of what that allows is left.

The rule: pure. Nothing settled is no success and no failure, and spends nothing.
"""

from observability.dashboards.panels import Target

SUCCESS = 0.995
TARGET = Target("at least 99.5 %", low=SUCCESS)
LEFT = Target("not below 0 %", low=0.0)


def left(dropped: int, settled: int) -> float | None:
    """Return which share of the allowed failures is left; below zero where more have failed.

    dropped: jobs given up. settled: these and those that succeeded. None where nothing was settled.
    """
    # By whole numbers: 1 - SUCCESS is not 0.005 to the last bit.
    return 1 - dropped * 1_000 / (5 * settled) if settled else None
