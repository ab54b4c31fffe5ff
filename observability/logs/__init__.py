"""Logs: lines as data, on the stream and as a copy in PostgreSQL that staff can search."""
