"""The service's settings for clusters of a benchmark, which have names: each gets the lanes meant for it."""

from trainu.settings import *  # noqa: F403
from trainu.settings import Q_CLUSTER

# django-q2 reads its settings under another name only where these stand.
Q_CLUSTER = Q_CLUSTER | {"ALT_CLUSTERS": {}}
