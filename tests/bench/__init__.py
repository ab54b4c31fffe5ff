"""Benchmarks: each measures one thing against the limit of the same run, on a quiet machine."""

NAMES = ("admin", "dashboards", "drafts", "forward", "ingest", "purge", "sync")
