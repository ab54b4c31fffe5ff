"""What a verb on dead letters says when it cannot do what was asked.

The rule: a word for machines, and a sentence that says what to do.
"""

from sync.ghl.operations.misfits import Misfit


class Refused(ValueError):
    """code: a word for machines; str(): why it cannot be done, and what to do.

    misfits: of a payload that does not fit, field by field.
    """

    def __init__(self, code: str, message: str, misfits: tuple[Misfit, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.misfits = misfits
