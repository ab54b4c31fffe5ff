"""Every event that a human makes belongs to a feature, or is known to belong to none."""

from collections import Counter

from pyroaring import BitMap

from observability.catalog import CATALOG
from observability.dashboards import features


def test_every_human_made_event_is_of_one_feature_or_named_as_of_none() -> None:
    human = {name for name, event in CATALOG.items() if event.human}
    placed = Counter(event for events in features.FEATURES.values() for event in events)
    placed.update(features.OF_NO_FEATURE)
    assert set(placed) == human
    assert set(placed.values()) == {1}


def test_every_feature_has_a_label() -> None:
    assert len(features.FEATURES) == 8
    assert list(features.LABELS) == list(features.FEATURES)


def test_whoever_had_any_event_of_a_feature_on_any_day_has_used_it() -> None:
    monday = {
        "directory_search": BitMap([1]),
        "booking_cta_clicked": BitMap([2]),
        "user_registered": BitMap([9]),
    }
    tuesday = {"trainer_profile_viewed": BitMap([3, 1])}
    used = features.users([monday, tuesday])
    assert used["directory"] == BitMap([1, 2, 3])
    assert not any(used[feature] for feature in features.FEATURES if feature != "directory")
