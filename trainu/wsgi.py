"""The WSGI application that granian serves."""

import gc
import multiprocessing
import os
import signal

if multiprocessing.current_process().name == "granian-worker":
    # While it loads this, a worker still has the handler of the process it was forked from, which does
    # nothing here: a TERM would be lost, and the stop would take as long as granian waits before it kills.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trainu.settings")

application = get_wsgi_application()

from observability import database_watch  # noqa: E402 - models can be imported only now

# What is loaded stays: the garbage collector need not look at it again. And a batch makes thousands of
# objects that are gone with the request, so it need not run every 700 of them either.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)

# All forks are over by now. A command that only loads this serves nobody.
if settings.PROCESS == "web":
    database_watch.start()
