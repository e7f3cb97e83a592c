"""Days of birth that may be one, written wrongly: with one digit wrong, or with day and month exchanged."""

from datetime import date

from rapidfuzz.distance import OSA

GENERATION = 15  # years between parents and children, which no typing error is taken for


def is_misspelt(a: str, b: str) -> bool:
    """Whether one of two different days, written YYYYMMDD, may be the other."""
    if abs(int(a[:4]) - int(b[:4])) >= GENERATION:
        return False
    return OSA.distance(a, b, score_cutoff=1) <= 1 or (a[:4] == b[:4] and a[4:6] == b[6:] and a[6:] == b[4:6])


def are_two_birthdays(a: date, b: date) -> bool:
    """Whether two days of birth are those of two people."""
    return a != b and not is_misspelt(f"{a:%Y%m%d}", f"{b:%Y%m%d}")
