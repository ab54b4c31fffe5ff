"""Charts as pure geometry: a chart of `observability.dashboards.panels` goes in, ready numbers come out.

One file a kind. The rule: nothing here reads a database or writes HTML; templates put what is returned into
SVG and tables as it is. What is not known is a gap, and whatever is drawn lies inside the picture.
"""
