"""The demo's invented past: people who join, book, train and leave, as `history.day` tells it day by day.

Nothing in it is real and nothing is stored here. The rule: a day follows from the seed and its date
alone, so that a second run tells the same past with the same uuids, and only adds new days.
"""
