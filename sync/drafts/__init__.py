"""Drafts: messages that a language model writes for trainers, who decide; what is approved is sent, once.

The rule: nothing goes to a client that no person has approved; what is approved goes as a job like any
other.
"""
