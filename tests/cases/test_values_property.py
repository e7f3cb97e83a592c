"""Properties of normal forms: what a write accepts is found by every spelling that the write maps to it."""

import random
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from writer_client import HubClient

from hub.domain.customers.customers import canonical_identifier
from hub.errors import BadInput
from hub.model import validators
from hub.schema.customers.customers import IdentifierKind

ROWS = 300
TYPES: dict[str, Callable[[str], str]] = {
    "country": validators.country,
    "currency": validators.currency,
    "language": validators.language,
    "email": validators.email,
    "email_identifier": validators.email_identifier,
    "phone": validators.phone,
    "phone in Germany": lambda value: validators.phone(value, "DE"),
    "tax_id": validators.tax_id,
    "loyalty_id": validators.loyalty_id,
    "single_line": validators.single_line,
    "multi_line": validators.multi_line,
}
PIECES = st.sampled_from(
    [
        *"\u200b\ufeff\u200d\u200c\ufe0f\u0308\u00a0\u2800K\u212aßİﬁ@＠a-_/ ٣👩ی\U000e0067🏴1\u1160",
        "+49",
        "(0)",
        "0049",
        "030",
        "1234567",
        ".de",
        "DE",
    ]
)
TEXTS = st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=12).map("".join))
UPSERT = """mutation ($input: CustomersUpsertInput!) { customersUpsert(input: $input) {
    results { customer { id } error { code } }
} }"""
BY = "query ($by: CustomerByIdentifier!) { customerBy(identifier: $by) { id } }"


@pytest.mark.parametrize("name", TYPES)
def test_v5_a_normal_form_is_its_own_normal_form(name: str) -> None:
    normalize = TYPES[name]

    @given(TEXTS)
    @example("\u212a\ufe0f")
    @example("+1 1 202 555 0143")
    @example("+49 0 0001234")
    def holds(text: str) -> None:
        try:
            normalized = normalize(text)
        except ValueError:
            return
        assert normalize(normalized) == normalized
        assert unicodedata.is_normalized("NFC", normalized)

    holds()


@pytest.mark.parametrize("identifier_kind", IdentifierKind)
def test_v5_a_compared_form_does_not_depend_on_how_it_is_spelt(identifier_kind: IdentifierKind) -> None:
    @given(TEXTS, st.integers(0, 2**32))
    def holds(text: str, seed: int) -> None:
        try:
            normalized = canonical_identifier(identifier_kind, text)
        except BadInput:
            return
        for spelling in spellings(text, random.Random(seed)):
            assert canonical_identifier(identifier_kind, spelling) == normalized, ascii(spelling)

    holds()


def spellings(text: str, rng: random.Random) -> Iterator[str]:
    """The text as other systems may send it: all look alike."""
    yield unicodedata.normalize("NFD", text)
    yield unicodedata.normalize("NFC", text)
    yield f"\ufeff {text}\u200b "
    index = rng.randint(0, len(text))
    yield f"{text[:index]}\u2060{text[index:]}"
    yield text.replace(" ", "\u00a0")


MESSY: dict[str, tuple[str, ...]] = {
    "EMAIL": (
        "{w}@{w}.de",
        "{W}.{n}@Bu\u0308cher.example.org",
        "{w}＠shop{n}.ie",
        " {w}{n}@MAIL.com\u200b",
        "no mail",
        "{w}@",
        "na@na.com",
    ),
    "PHONE": (
        "+49 (0)30 {n}",
        "(0049) 171-{n}",
        "+44 20 {n}9",
        "٠٠٤٩ ٨٩ {n}",
        "{n}",
        "+49 30 {n} {w}",
        "tel:+43-1-{n}",
        "00{n}",
    ),
    "FAX": ("+49/30/{n}", "+49 30 {n} fax", "＋４９ 40 {n}"),
    "TAX_ID": ("DE {n}", "de-{n}", "DE.{n}\u00a0", "{n}/{n}", "n/a", "ＤＥ{n}", "--"),
    "LOYALTY_ID": ("{n}", "{n} {n}", "L-{n}", "l{n}\u200d", "0000"),
    "EXTERNAL_ID": (
        "{w}{n}",
        " {W}-ä{n}",
        "{w}-a\u0308{n}\ufeff",
        "null",
        "{{user_id}}",
        "{n}",
        "?",
        "Ко{n}",
        "می\u200cخ{n}",
        "NaN",
    ),
    "DEVICE_ID": ("{n}-{w}", "{W}{n}\u2063", "undefined", "(null)"),
}


def messy_rows(rng: random.Random) -> list[dict[str, Any]]:
    """Customers as exports hold them: spelled anyhow, some of them twice, some without any identifier."""
    rows = []
    for _ in range(ROWS):
        identifier_kind = rng.choice(list(MESSY))
        word = rng.choice(["anna", "zoë", "jo\u0308rg", "mia"])
        number = rng.choice(["1234567", "2345678", "76543210", str(rng.randint(1_000_000, 99_999_999))])
        value = (
            rng.choice(MESSY[identifier_kind]).replace("{w}", word).replace("{W}", word.upper()).replace("{n}", number)
        )
        source = rng.choice(["shop", "Ka\u0308se", " Käse\u200b", "crm"])
        rows.append(
            {"kind": identifier_kind, "value": value, "source": source, "country": rng.choice([None, "de", "AT"])}
        )
    return rows


async def test_v2_every_identifier_that_was_accepted_finds_its_customer_by_the_text(
    northwind_client: HubClient, seed: int
) -> None:
    """Over 300 generated rows; the seed is printed."""
    rows = messy_rows(random.Random(seed))
    accepted = 0
    for start in range(0, ROWS, 20):
        batch = rows[start : start + 20]
        inputs = [
            {"by": {"identifier": row}, "name": row["value"] if row["value"].strip() else "Nobody"} for row in batch
        ]
        variables = {"input": {"rows": inputs, "errorPolicy": "REJECT_FAILED_ROWS"}}
        results = (await northwind_client.query(UPSERT, variables))["customersUpsert"]["results"]
        for row, result in zip(batch, results, strict=True):
            if result["customer"] is None:
                assert result["error"]["code"] in ("VALUE_INVALID", "IDENTIFIER_JUNK"), (row, result)
                continue
            accepted += 1
            assert (await northwind_client.query(BY, {"by": row}))["customerBy"] == result["customer"], row
    assert accepted > ROWS / 3
