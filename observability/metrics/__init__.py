"""The operational figures for Prometheus: parts that read what our own tables say, and how they are told.

The rule: names follow Prometheus' conventions, and labels are words of closed vocabularies, never ids. What
only grows (`_total`, histograms) never shrinks, whatever is purged: see `totals`.
"""
