"""A GoHighLevel on loopback: it remembers, it limits, it fails on demand, and it says honestly what happened.

The rule: whatever it answers and sends has the shapes of the official documents; what it is told to do
badly, it does badly on purpose and by a seed. It listens on loopback and calls nothing beyond it.
Tests and benchmarks start a `Simulator` in a thread, the demo runs `python -m trainu.demo.ghl --port N`.
"""

from trainu.demo.ghl.faults import Fault
from trainu.demo.ghl.server import Simulator

__all__ = ["Fault", "Simulator"]
