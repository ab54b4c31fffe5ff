"""GoHighLevel, spoken by a thin client of our own: requests and readings are values, one file carries them.

The rule: only `transport` does I/O and only `transport` imports aiohttp. Everything else takes values and
gives values, so that lanes, admin checks, the simulator and tests share it.
"""
