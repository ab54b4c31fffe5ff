"""The WSGI application that granian serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trainu.settings")

application = get_wsgi_application()

# What is loaded stays: the garbage collector need not look at it again. And a batch makes thousands of
# objects that are gone with the request, so it need not run every 700 of them either.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)
