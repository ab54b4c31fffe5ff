"""The four dashboards: activation, engagement, show-rate, sync health.

The way of a number: `observability.rollups` keeps rows, `days` counts them by calendar days of a zone, a
dashboard's own module asks for the days of a question and makes figures and charts of them (`panels`), and
page, CSV and API render the same panels. The rule: what a number means stands in `definitions`, once.
"""
