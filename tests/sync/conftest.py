"""What sync tells, caught for tests to look at."""

from collections.abc import Iterator
from typing import Any

import pytest

from sync import signals
from sync.signals import Act, Trouble


@pytest.fixture
def acts() -> Iterator[list[Act]]:
    """Every act that was told since, in its order."""
    told: list[Act] = []

    def hear(acts: list[Act], **_signal: Any) -> None:
        told.extend(acts)

    signals.acted.connect(hear)
    yield told
    signals.acted.disconnect(hear)


@pytest.fixture
def troubles() -> Iterator[list[Trouble]]:
    """Every trouble that was told since, in its order."""
    told: list[Trouble] = []

    def hear(troubles: list[Trouble], **_signal: Any) -> None:
        told.extend(troubles)

    signals.troubled.connect(hear)
    yield told
    signals.troubled.disconnect(hear)
