"""App configurations of the project package: its commands, and the admin site everything registers on."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class TrainuConfig(AppConfig):
    name = "trainu"


class TrainuAdminConfig(admin_apps.AdminConfig):
    default_site = "trainu.admin_site.TrainuAdminSite"
