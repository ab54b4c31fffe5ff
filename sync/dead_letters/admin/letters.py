"""Dead letters: the list of them, and the page of each."""

from django.contrib import admin

from sync.dead_letters.admin.letter import LetterPage
from sync.dead_letters.admin.letter_list import LetterList
from sync.dead_letters.admin.record import RecordAdmin
from sync.models import DeadLetter


@admin.register(DeadLetter)
class DeadLetterAdmin(LetterPage, LetterList, RecordAdmin):
    ordering = ["-died_at", "-id"]
