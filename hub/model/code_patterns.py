"""Patterns of codes, `INV-{year:4}-{serial:6}{check}`: how a number becomes a code, and a code a number. Pure.

Placeholders are `{serial:6}`, parts of the date (year, month, day), `{check}`, and names of values that whoever draws gives."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

from stdnum import ean, iso6346, luhn

from hub.errors import BadInput

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
NAME = re.compile(r"[a-z][a-z_]{0,30}")
LITERAL = re.compile(r"[A-Za-z0-9 ./_-]*")
DATE_WIDTHS = {"year": (2, 4), "month": (2,), "day": (2,)}
MAX_SERIAL_WIDTH, MAX_VALUE_WIDTH, MAX_LENGTH = 12, 20, 60
CONTAINER = re.compile(r"[A-Z]{3}[UJZ][0-9]{6}")

PatternPart: TypeAlias = str | tuple[str, int]  # literal text, or a placeholder's name and width


@dataclass(frozen=True, slots=True)
class CodePattern:
    """A pattern that was parsed; `check_digit` is the name of the algorithm, NONE for no check digit."""

    parts: tuple[PatternPart, ...]
    check_digit: str

    @property
    def capacity(self) -> int:
        """The numbers of one prefix: 1 to this one."""
        width: int = next(width for name, width in self._placeholders if name == "serial")
        return int(10**width - 1)

    @property
    def names(self) -> tuple[str, ...]:
        """The values that whoever draws a code gives."""
        known = ("serial", "check", *DATE_WIDTHS)
        return tuple(name for name, _ in self._placeholders if name not in known)

    @property
    def _placeholders(self) -> list[tuple[str, int]]:
        return [part for part in self.parts if isinstance(part, tuple)]

    def texts(self, values: Mapping[str, object], now: datetime) -> dict[str, str]:
        """The texts of all placeholders but serial and check, at a local time; raises BadInput for wrong values."""
        unknown = sorted(values.keys() - set(self.names))
        if unknown:
            message = f"values: the pattern has no {unknown[0][:30]!r}; it takes {', '.join(self.names) or 'none'}."
            raise BadInput(message, code="CODE_INVALID", argument="values")
        dates = {"year": f"{now.year:04}", "month": f"{now.month:02}", "day": f"{now.day:02}"}
        texts = {}
        for name, width in self._placeholders:
            if name in DATE_WIDTHS:
                texts[name] = dates[name][-width:]
            elif name in self.names:
                texts[name] = _value_text(name, width, values.get(name))
        return texts

    def prefix(self, texts: Mapping[str, str]) -> str:
        """What the numbers of one sequence share: the code with `*` for the number, without its check digit."""
        return self._join({**texts, "serial": "*", "check": ""})

    def render(self, texts: Mapping[str, str], serial: int) -> str:
        """The code of a number; raises BadInput if it cannot have a check digit."""
        width = next(width for name, width in self._placeholders if name == "serial")
        body = self._join({**texts, "serial": f"{serial:0{width}}", "check": ""})
        if self.check_digit == "NONE":
            return body
        return self._join({**texts, "serial": f"{serial:0{width}}", "check": check_character(self.check_digit, body)})

    def read(self, code: str) -> dict[str, object]:
        """The values of a code by placeholder, `serial` as a number; raises BadInput CODE_INVALID if it is none."""
        match = _expression(self).fullmatch(code.strip())
        if match is None:
            raise _invalid(code, "it is not written like the pattern")
        texts = match.groupdict()
        serial = int(texts.pop("serial"))
        texts.pop("check", None)
        if not serial or self.render(texts, serial) != code.strip():
            raise _invalid(code, "its check digit or its number is wrong")
        return {**texts, "serial": serial}

    def _join(self, texts: Mapping[str, str]) -> str:
        return "".join(part if isinstance(part, str) else texts[part[0]] for part in self.parts)


def _invalid(code: str, fault: str) -> BadInput:
    message = f"code: {code[:MAX_LENGTH]!r} is no code of this rule, because {fault}; compare it with the original."
    return BadInput(message, code="CODE_INVALID", argument="code")


@lru_cache(maxsize=256)
def _expression(pattern: CodePattern) -> re.Pattern[str]:
    """The regular expression of a pattern's codes."""
    digits = ("serial", *DATE_WIDTHS)

    def group(part: PatternPart) -> str:
        if isinstance(part, str):
            return re.escape(part)
        name, width = part
        return f"(?P<{name}>{'[0-9]' if name in digits else '[A-Z0-9]'}{{{width}}})"

    return re.compile("".join(map(group, pattern.parts)), re.ASCII)


def _value_text(name: str, width: int, value: object) -> str:
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    text = text.zfill(width) if text.isascii() and text.isdigit() else text.upper()
    if not (text.isascii() and text.isalnum() and len(text) == width):
        message = f"values.{name}: give {width} letters and digits."
        raise BadInput(message, code="CODE_INVALID", argument=f"values.{name}")
    return text


def check_character(check_digit: str, body: str) -> str:
    """The check digit of a code's text; LUHN and MOD10_3 (GS1) count its digits, ISO6346 the whole."""
    if check_digit == "ISO6346":
        if not CONTAINER.fullmatch(body):
            message = f"{body[:MAX_LENGTH]!r} is no container number: it has three letters, U, J or Z, and six digits."
            raise BadInput(message, code="CODE_INVALID", argument="pattern")
        return str(iso6346.calc_check_digit(body))
    digits = "".join(character for character in body if character.isdigit())
    return str((luhn if check_digit == "LUHN" else ean).calc_check_digit(digits))


@lru_cache(maxsize=256)
def parse_pattern(text: str, check_digit: str) -> CodePattern:
    """The pattern of a text; raises ValueError with the fault and the remedy."""
    parts: list[PatternPart] = []
    end = 0
    for match in PLACEHOLDER.finditer(text):
        parts += [text[end : match.start()], _placeholder(match[1])]
        end = match.end()
    parts.append(text[end:])
    literals = [part for part in parts if isinstance(part, str)]
    if not all(map(LITERAL.fullmatch, literals)):
        raise ValueError("beside placeholders like {serial:6} it has only letters, digits, blanks and . / _ -")
    placeholders = [part for part in parts if isinstance(part, tuple)]
    names = [name for name, _ in placeholders]
    if names.count("serial") != 1:
        raise ValueError("a pattern has exactly one {serial:…}, the running number")
    if len(set(names)) < len(names):
        raise ValueError(f"{{{max(names, key=names.count)}}} stands in it twice; give the second another name")
    if ("check" in names) is (check_digit == "NONE"):
        raise ValueError("{check} stands for the check digit: give both, or neither")
    if "check" in names and parts[-2:] != [("check", 1), ""]:
        raise ValueError("the check digit ends the code; put {check} last")
    if sum(map(len, literals)) + sum(width for _, width in placeholders) > MAX_LENGTH:
        raise ValueError(f"a code has at most {MAX_LENGTH} characters")
    return CodePattern(tuple(part for part in parts if part), check_digit)


def _placeholder(text: str) -> tuple[str, int]:
    name, _, width_text = text.partition(":")
    if name == "check" and not width_text:
        return name, 1
    width = int(width_text) if width_text.isascii() and width_text.isdigit() and len(width_text) <= 2 else 0
    widest = MAX_SERIAL_WIDTH if name == "serial" else MAX_VALUE_WIDTH
    if not NAME.fullmatch(name) or name == "check" or width not in DATE_WIDTHS.get(name, range(1, widest + 1)):
        allowed = " or ".join(map(str, DATE_WIDTHS[name])) if name in DATE_WIDTHS else f"1 to {widest}"
        raise ValueError(
            f"{{{text[:40]}}} is no placeholder; write a small name and a width of {allowed}: {{serial:6}}"
        )
    return name, width


def local_time(now: datetime, timezone: str) -> datetime:
    """The time in a zone, whose date stands in codes."""
    return now.astimezone(ZoneInfo(timezone))
