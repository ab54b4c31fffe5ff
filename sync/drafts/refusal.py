"""Why something cannot be done with a draft, for machines and in words."""


class Refused(ValueError):
    """code: a word for machines; str(): what is wrong and what to do. Nothing has changed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
