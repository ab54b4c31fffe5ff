"""App configurations of the project package: its commands, its roles, and the admin site of everything."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate


class TrainuConfig(AppConfig):
    name = "trainu"

    def ready(self) -> None:
        from trainu import roles

        post_migrate.connect(roles.after_migration, dispatch_uid="trainu.roles")


class TrainuAdminConfig(admin_apps.AdminConfig):
    default_site = "trainu.admin_site.TrainuAdminSite"
