"""Values that trip a planner up: of names, texts, moments and JSON. What rows they stand in is edge_rows.py's."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hub.schema.customers import customers

# One code is the beginning of another, and one is a wildcard to `like`.
UNIT_PARENTS = {
    "AWK": None,
    "AWK_N": "AWK",
    "AWK_N2": "AWK",
    "AWK_a": "AWK_N",
    "AWK_b": "AWK_N",
    "AWK_c": "AWK_N2",
    "AWK__": "AWK_N2",
}
NAMES = (
    "Zwilling",
    "Zwilling",
    "zwilling",
    "Żwilling & Söhne",
    "王小明",
    "小明商店",
    "株式会社ラーメン王",
    "José García",
    "JOSE GARCIA",
    "Johnson",
    "Jonsson-Ødegård",
    "Ｆｕｌｌ　Ｗｉｄｔｈ",
    "ﬁne œuvre",
    "Straße 100%",
    "under_score",
    "quote\"s \\ and 'more'",
    "Ελένη Σίσυφος",
    "Ольга Ёлкина",
    "émigré",
    "e\u0301migre\u0301",
    "😀 smile",
    "  spaced   out  ",
    "null",
    "Åre",
    "AAA",
    "-",
)
TEXTS = (
    "",
    " ",
    "same",
    "same",
    "Same",
    "Ünïcödé",
    "a_b%c",
    "line\nbreak",
    "tab\there",
    "\u2028",
    '{"a":1}',
    "€ 5",
    "中文",
)
IDENTIFIER_KINDS = customers.IdentifierKind
CURRENCIES = ("EUR", "USD", "JPY", "CHF")
TIMESTAMPS = (
    *tuple(
        datetime(1998, 5, 6, tzinfo=UTC) - timedelta(days=days, seconds=seconds, microseconds=micro)
        for days, seconds, micro in (
            (0, 0, 0),
            (0, 1, 0),
            (1, 0, 1),
            (3, 0, 100),
            (3, 0, 100),
            (9, 7, 123456),
            (36, 3601, 0),
        )
    ),
    datetime(1998, 5, 6, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1998, 3, 29, 0, 30, tzinfo=UTC),
    datetime(1998, 3, 29, 1, 30, tzinfo=UTC),
    datetime(1997, 10, 26, 0, 30, tzinfo=UTC),
    datetime(1997, 10, 26, 1, 30, tzinfo=UTC),
    datetime(1997, 12, 31, 23, 30, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, 500000, tzinfo=UTC),
)
ATTRIBUTES: tuple[Any, ...] = (
    {},
    {"tags": ["a", "b"], "points": 10},
    {"tags": [], "points": 10.5},
    {"tags": ["vip"], "points": "10", "nested": {"deep": [1, {"x": None}]}},
    {"points": 1e2, "flag": True, "": "empty key"},
    {"points": None, "flag": False, "name": "Ünïcödé Name", "0": "zero"},
    {"tags": "none", "points": -3, "nested": {"deep": [], "t$0": 1}},
)
