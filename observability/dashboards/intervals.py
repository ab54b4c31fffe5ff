"""How sure a share, a difference of shares and a sampled count are: 95 % intervals.

The rule: no interval is invented. Where there are no cases, there is none.
"""

from math import sqrt

# Between minus and plus so many standard deviations lie 95 % of a normal distribution.
Z = 1.959963984540054

Interval = tuple[float, float]


def wilson(successes: int, cases: int) -> Interval | None:
    """Return the interval of the share successes / cases, or None without cases.

    The score interval of Wilson (1927), "Probable inference, the law of succession, and statistical
    inference", without correction for continuity: it stays within 0 to 1 and holds for few cases and for
    shares near 0 and 1, where the textbook's one (Wald) does not. Raises ValueError when there are more
    successes than cases, or fewer than none.
    """
    if not 0 <= successes <= cases:
        raise ValueError(f"{successes} of {cases} is no share: successes lie between 0 and the cases.")
    if cases == 0:
        return None
    share, z2 = successes / cases, Z * Z
    middle = (share + z2 / (2 * cases)) / (1 + z2 / cases)
    half = Z * sqrt(share * (1 - share) / cases + z2 / (4 * cases * cases)) / (1 + z2 / cases)
    # At the ends the bound is the end itself, which rounding would miss by a hair.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == cases else min(1.0, middle + half)
    return low, high


def newcombe(successes_1: int, cases_1: int, successes_2: int, cases_2: int) -> Interval | None:
    """Return the interval of share 2 minus share 1 (independent groups), or None without cases in one.

    Method 10 of Newcombe (1998), "Interval estimation for the difference between independent proportions:
    comparison of eleven methods", Statistics in Medicine 17: the distances from each share to its Wilson
    bounds, joined as the sides of a right angle. It stays within -1 to 1. Raises ValueError as `wilson`.
    """
    first, second = wilson(successes_1, cases_1), wilson(successes_2, cases_2)
    if first is None or second is None:
        return None
    share_1, share_2 = successes_1 / cases_1, successes_2 / cases_2
    difference = share_2 - share_1
    low = difference - sqrt((share_2 - second[0]) ** 2 + (first[1] - share_1) ** 2)
    high = difference + sqrt((second[1] - share_2) ** 2 + (share_1 - first[0]) ** 2)
    return max(-1.0, low), min(1.0, high)


def sample_error(estimate: float, one_in: int) -> float:
    """Return half the width of the interval of a count of people, estimated from one in `one_in` of them.

    Each person is in the sample or not, always the same ones (a coordinated sample), independently of the
    others: the count in the sample is binomial, and the estimate, `one_in` times it, has the variance
    estimate * (one_in - 1) (Cochran, "Sampling Techniques", 1977; Bernoulli sampling). No error where
    everybody is in it. Raises ValueError when `one_in` is below 1 or the estimate below 0.
    """
    if one_in < 1 or estimate < 0:
        raise ValueError("One in 1 or more people is sampled, and no count is below 0.")
    return Z * sqrt(estimate * (one_in - 1))
