"""How a location is entered: tokens, encrypted. Read and written by `sync.credentials` alone."""

from django.db import models
from django.db.models import Q

from sync.models.location import Location


class Credential(models.Model):
    class Kind(models.TextChoices):
        PRIVATE = "private", "Private integration"
        OAUTH = "oauth", "OAuth"

    location = models.OneToOneField(Location, on_delete=models.CASCADE, primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    access_token = models.BinaryField(help_text="Encrypted.")
    refresh_token = models.BinaryField(default=b"", help_text="Encrypted; empty for a private integration.")
    expires_at = models.DateTimeField(null=True, help_text="Of the access token; empty: never.")
    refreshed_at = models.DateTimeField()
    refreshing_until = models.DateTimeField(null=True, help_text="Somebody asks for new tokens until then.")

    class Meta:
        default_permissions = ("change",)
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["private", "oauth"]), name="credential_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(kind="private") | Q(expires_at__isnull=False), name="oauth_tokens_expire"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.location_id}"
