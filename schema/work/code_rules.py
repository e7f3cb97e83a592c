"""Rules of codes: how numbered things are numbered. Only commands write them: hub/domain/work/codes.py."""

from decimal import Decimal
from typing import Annotated, Any

import strawberry

from hub.model import GLOBAL, Column, DescribedEnum, Entity, Json, PersonalData, every_unit, field, resolver, validators
from hub.model.code_patterns import parse_pattern

CodeText = Annotated[str, strawberry.argument(description="The code.")]


class CheckDigit(DescribedEnum):
    """Algorithms of check digits."""

    NONE = "NONE", "None."
    LUHN = "LUHN", "Luhn's, of the digits: bank cards, UIC wagon numbers."
    ISO6346 = "ISO6346", "Of freight containers: three letters, U, J or Z, six digits."
    MOD10_3 = "MOD10_3", "GS1's, of the digits with weights 3 and 1: GTIN, SSCC."


class CodeRule(
    Entity,
    prefix="cru",
    owned_by=every_unit,
    operations=(),
    subject_of=("Notification",),
    order="name",
    sortable=("updated_at",),
    checks={
        "reuse_after_days_is_positive": "reuse_after_days between 1 and 36500",
        "warn_share_is_a_share": "warn_share > 0 and warn_share <= 1",
    },
):
    """How codes of one kind are made: a pattern with a running number for each prefix."""

    name: Column[str] = field(
        "Short unique name: letters, digits and underscores.",
        unique=GLOBAL,
        check=validators.slug,
        sortable=True,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    pattern: Column[str] = field(
        "Pattern with placeholders: `INV-{year:4}-{serial:6}{check}`. Numbers run by what stands beside {serial}.",
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    check_digit: Column[CheckDigit] = field("How {check} is made.", default=CheckDigit.NONE, writable="command")
    gapless: Column[bool] = field(
        "Whether no number may be missing. Transactions that draw from one prefix then take turns.",
        server_default=False,
        writable="command",
    )
    reuse_after_days: Column[int | None] = field(
        "Days after which a number may be drawn again, once all were; empty for never.", writable="command"
    )
    warn_share: Column[Decimal] = field(
        "Share of the numbers of a prefix after which the heads of the topmost units are notified, above 0 up to 1.",
        precision=(5, 4),
        server_default=Decimal("0.8"),
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    timezone: Column[str] = field(
        "IANA time zone of the dates in codes.", default="UTC", writable="command", personal=PersonalData.NOT_PERSONAL
    )

    @resolver(pattern, check_digit)
    def parts(self, pattern: str, check_digit: Any, code: CodeText) -> Json | None:
        """What a code of this rule says, by placeholder; null, and CODE_INVALID, if it is none or has a wrong check digit."""
        return Json(parse_pattern(pattern, str(check_digit)).read(code))
