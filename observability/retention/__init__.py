"""Retention: how long everything is kept, and removing what is older. Declared data only, nothing else.

`policies` holds the days, `datasets` what the observer declares, `purge` does a run, `daily` decides
when, `lateness` finds what is older than it should be.
"""
