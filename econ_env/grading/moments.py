"""Dates, times of day and divisions with a remainder: read as one text, not as calculations."""

from __future__ import annotations

import re

_MONTHS = "january february march april may june july august september october november december"
_MONTH_NUMBERS = {name[:3]: number for number, name in enumerate(_MONTHS.split(), 1)}
_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
_MONTH += r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_MOMENT = re.compile(
    r"(?P<iso>\d{4}[-/]\d{1,2}[-/]\d{1,2})(?!\d)"
    r"|(?P<slashed>\d{1,2}/\d{1,2}/\d{4})(?!\d)"
    rf"|(?P<month>{_MONTH}) (?P<day>{_DAY})(?:,? (?P<year>\d{{4}}))?(?![\d,])"
    rf"|(?P<day2>{_DAY}) (?:of )?(?P<month2>{_MONTH})(?:,? (?P<year2>\d{{4}}))?(?!\d)"
    r"|(?P<clock>\d{1,2}:\d{2}(?::\d{2})?)(?!\d)(?:\s?(?P<half>[ap])\.?\s?m\b\.?)?"
    r"|(?P<quotient>\d{1,30})\s?(?:r|rem|remainder)\.?\s?(?P<remainder>\d{1,30})(?!\d)",
    re.IGNORECASE | re.ASCII,
)


def moment_at_the_beginning(text: str) -> str | None:
    """The date, time or quotient with which ``text`` begins, as it is written; None without one."""
    match = _MOMENT.match(text)
    return None if match is None else match[0]


def read_moment(text: str) -> str | None:
    """One spelling for a date, a time or a quotient with remainder; None for anything else.

    "March 1, 2024", "1 March 2024" and "2024-03-01" are the same. "03/01/2024" is not, because
    its first number may be the day.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    if match["iso"]:
        return _date(*map(int, re.split("[-/]", match["iso"])))
    if match["slashed"]:
        return "/".join(str(int(part)) for part in match["slashed"].split("/"))
    month, day = match["month"] or match["month2"], match["day"] or match["day2"]
    if month:
        year = int(match["year"] or match["year2"] or 0)
        return _date(year, _MONTH_NUMBERS[month[:3].lower()], int(re.sub(r"\D", "", day)))
    if match["clock"]:
        half = f" {match['half'].lower()}m" if match["half"] else ""
        return match["clock"].removeprefix("0") + half
    return f"{int(match['quotient'])} remainder {int(match['remainder'])}"


def _date(year: int, month: int, day: int) -> str:
    return f"{year:04}-{month:02}-{day:02}"
