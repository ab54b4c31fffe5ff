"""Errors: told apart, counted in PostgreSQL, logged once, and sent to Sentry without anything personal."""
