"""django-q2's cluster as this service runs it: see trainu.cluster."""

import os
from typing import Any

from django_q.management.commands import qcluster

from observability import database_watch
from trainu.cluster import WatchedCluster


class Command(qcluster.Command):  # type: ignore[misc]
    def handle(self, *args: Any, **options: Any) -> None:
        if options["cluster_name"]:
            os.environ["Q_CLUSTER_NAME"] = options["cluster_name"]
        cluster = WatchedCluster()
        if options["run_once"]:
            cluster.start()
            cluster.stop()
        else:
            cluster.run(beside=database_watch.start)
