"""Audit: who did what, kept so that nobody can change it unseen.

`recording.record` writes an entry, in the transaction of the act. `chain` verifies, signs and cuts.
"""
