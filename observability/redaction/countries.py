"""How long telephone numbers are, by country code: what tells +1 500 000 rows from a number to call.

National lengths after ITU-T E.164 and the numbering plans; the rare extremes (German test numbers of 15
digits) are left out, for each digit more is a digit of the text behind that would go with the number.
"""

_LENGTHS = """
4-5:290 4-7:683,690 4-10:98 5-11:352 6-12:43 4-10:598 6-11:49 5-5:500,682 5-6:247 5-7:676,677,678,688
5-8:47,386,686 5-10:27,64,685 5-10:31 5-11:852 6-10:61 5-12:358,971 5-11:82 6-6:298,299,672,687 6-7:597
6-9:40,252,355,376,421,508,681,689 6-10:46,48,53,95,880 6-11:375,595 6-12:39,359,381 6-11:63
7-7:238,239,246,248,269,291,297,592,673,674,680,691,692 7-8:241,599,670,675,853,961,965,975
7-9:220,231,245,265,354,385,423,967,968 10-10:1 7-10:44,84,230,243,254,263,267,353,372,960
7-11:501,503,507,679,886,974 7-12:86,882,972 7-11:90 7-12:62
8-8:45,216,222,223,226,227,228,232,235,236,253,257,266,350,356,357,370,371,373,374
8-8:389,505,509,800,808,973,993 8-9:32,36,51,213,224,233,237,250,258,264,268,377,382,387,591,962,963
8-10:20,60,378,506,850,855,856,964,970,976 8-11:55,57,65,502,504,593,977 8-12:92,383,883 8-11:66 8-11:91
8-11:81 9-9:33,34,41,93,94,211,212,218,221,240,242,244,249,251,255,256,260,261,262,351
9-9:420,590,594,596,979,992,994,995,998 9-10:380,881,966,996 9-11:56 9-12:870 10-11:52 10-10:58,225,229
10-11:54 10-12:30 10-10:7 8-11:234 11-11:888 12-12:878
"""


def _read() -> dict[str, tuple[int, int]]:
    lengths: dict[str, tuple[int, int]] = {}
    for row in _LENGTHS.split():
        span, codes = row.split(":")
        low, high = span.split("-")
        for code in codes.split(","):
            lengths[code] = (int(low), int(high))
    return lengths


_BY_CODE = _read()


def lengths(digits: str) -> tuple[int, int] | None:
    """Return how many digits, country code included, a number that begins with `digits` has: least, most.

    None when no country code fits.
    """
    for size in (1, 2, 3):
        if found := _BY_CODE.get(digits[:size]):
            return size + found[0], size + found[1]
    return None
