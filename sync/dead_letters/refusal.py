"""What a verb on dead letters says when it cannot do what was asked.

The rule: a word for machines, and a sentence that says what to do.
"""


class Refused(ValueError):
    """code: a word for machines; str(): why it cannot be done, and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
