"""What sync tells the rest of the house. Sync never learns who listens.

Payloads are frozen dataclasses of plain values, sent inside the transaction that changes the state,
so that outcome and event commit together. The senders come with the sync engine.
"""
