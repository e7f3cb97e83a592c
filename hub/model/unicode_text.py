"""The one form of texts: NFC, without characters that nobody sees. Spellings that look alike become the same text."""

import re
import unicodedata

MAX_TEXT_LENGTH = 65_536  # characters of a body
MAX_LINE_LENGTH = 200  # of a name, a title, a subject
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# C0, C1, the separators of lines and paragraphs, and noncharacters. Line breaks and tabs are looked at after the ends are cut.
NOT_IN_A_LINE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufdd0-\ufdef\ufffe\uffff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)
BLANKS = re.compile("[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800]")  # which look like a space; U+3000 is wider
OUTER_BLANKS = " \t\n\r\u3000"

# Unicode's Default_Ignorable_Code_Point and interlinear annotations, without those that change how their neighbours look.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e00ff\U000e01f0-\U000e0fff]"
)
_JOINERS = "\u200c\u200d"
_SELECTORS = re.compile("[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_TAGS = re.compile("[\U000e0020-\U000e007f]")
_SHAPING = re.compile("[\u200c\u200d\u180b-\u180f\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef]")
_BLACK_FLAG, _KEYCAP = "\U0001f3f4", "\u20e3"
_FIRST_SHAPED = "\u0590"  # the scripts before it (Latin, Greek, Cyrillic, Armenian) are joined by nothing


def visible(text: str) -> str:
    """The text in NFC without invisible characters. Joiners and selectors stay where they change what is seen."""
    if text.isascii():
        return text
    while True:
        shown = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
        if _SHAPING.search(shown):
            shown = _without_idle_shaping(shown)
        shown = unicodedata.normalize("NFC", shown)
        if shown == text:
            return text
        text = shown


def _without_idle_shaping(text: str) -> str:
    """The text without joiners, selectors and tags that have nothing to shape: at an end, beside a blank, among Latin letters."""
    characters: list[str] = []
    for index, character in enumerate(text):
        previous = characters[-1] if characters else ""
        following = text[index + 1 : index + 2]
        if not _SHAPING.match(character) or _shapes(previous, character, following):
            characters.append(character)
    return "".join(characters)


def _shapes(previous: str, character: str, following: str) -> bool:
    if _TAGS.match(character):  # the flags of England, Scotland and Wales
        return previous == _BLACK_FLAG or bool(_TAGS.match(previous))
    is_shaped = previous >= _FIRST_SHAPED and not previous.isspace() and previous not in _JOINERS
    if _SELECTORS.match(character):
        return is_shaped or previous in ("©", "®") or (character == "\ufe0f" and following == _KEYCAP)
    return is_shaped and following >= _FIRST_SHAPED and not following.isspace() and not _SHAPING.match(following)


def single_line(value: str) -> str:
    """A text of one line, without what stands around it and what nobody sees; raises ValueError for an empty one."""
    if value.isascii() and value.isprintable():  # most texts
        text = value.strip(" ")
    else:
        text = visible(value)
        if NOT_IN_A_LINE.search(text):
            raise ValueError("the text has control characters or line separators; remove them")
        text = BLANKS.sub(" ", text).strip(OUTER_BLANKS)
    if not text:
        raise ValueError("the text is empty; give at least one character")
    if len(text) > MAX_LINE_LENGTH or "\n" in text or "\r" in text:
        raise ValueError(f"give one line of at most {MAX_LINE_LENGTH} characters")
    return text


def multi_line(value: str) -> str:
    """A text of many lines, in NFC and without a byte-order mark; raises ValueError."""
    text = value if value.isascii() else unicodedata.normalize("NFC", value.lstrip("\ufeff"))
    if len(text) > MAX_TEXT_LENGTH or CONTROL_CHARACTERS.search(text):
        raise ValueError(f"give at most {MAX_TEXT_LENGTH} characters, none of them invisible")
    return text
