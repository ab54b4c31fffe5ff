"""Webhooks of GoHighLevel: proven, stored, answered at once, and worked off afterwards."""
