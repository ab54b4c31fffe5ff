"""Every address of the service. The root leads staff to the admin; machines live under /api/."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from observability import posthog_door
from trainu.api import api

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/", api.urls),
    path("batch/", posthog_door.batch),
    path("capture/", posthog_door.batch),
]
