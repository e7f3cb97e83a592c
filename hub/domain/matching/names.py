"""Names in the form that is compared: without accents, titles and legal forms; Chinese characters in their simplified form."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_SPECIAL = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
# Traditional forms that names and company names use, and their simplified ones.
_TRADITIONAL = (
    "張陳劉黃楊趙吳孫馬鄭謝許鄧馮蕭葉閻鍾譚陸賈韋鄒龍萬錢湯賀賴龔龐蘭齊莊顧溫樓歐陽嚴華盧蘇呂羅韓喬園貿公東國偉傑麗鳳學強軍靜"
    "蓮榮興輝濤飛雲藝惠豐廣開關業實聖寶愛瑩瑤鵬紅勝賢鑫穎倩婭潔義禮遠達倫維純銳鋒銀業電機儀術藥處協會"
)
_SIMPLIFIED = (
    "张陈刘黄杨赵吴孙马郑谢许邓冯萧叶阎钟谭陆贾韦邹龙万钱汤贺赖龚庞兰齐庄顾温楼欧阳严华卢苏吕罗韩乔园贸公东国伟杰丽凤学强军静"
    "莲荣兴辉涛飞云艺惠丰广开关业实圣宝爱莹瑶鹏红胜贤鑫颖倩娅洁义礼远达伦维纯锐锋银业电机仪术药处协会"
)
_TO_SIMPLIFIED = str.maketrans(_TRADITIONAL, _SIMPLIFIED)
_WORD = re.compile(r"[^\W_]+(?:['’`´][^\W_]+)*")
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af々]")
_APOSTROPHES = re.compile("['’`´]")
_TITLE_WORDS = """
mr mrs ms miss mx dr prof sir dame lady lord rev herr frau fr dipl ing mag med phil jur mme mlle sr sra srta don dona sig
sigra dott dottssa avv pan pani dhr mevr bay bayan jr sen snr jnr ii iii iv phd md esq
"""
_PARTICLE_WORDS = "de del della di da do dos das van von der den ter ten la le el al bin ibn y e i zu zum"
_LEGAL_FORM_WORDS = """
inc incorporated corp corporation co company ltd limited llc llp plc lp gmbh ag kg ohg gbr ug mbh cokg ev sarl sa sas sasu
eurl sci srl spa snc sl slu sc bv nv vof ab hb oy oyj as aps spzoo sp zoo z o oo sro kft rt ltda me eireli cv de rl ltdsti
sti ae ee oe epe the and und et y en e i a group holding maison fratelli comercial comercio
"""
_LEGAL_SUFFIXES = (
    *("股份有限公司", "有限责任公司", "有限公司", "公司", "株式会社", "合同会社", "有限会社"),
    *("주식회사", "유한회사", "(주)", "㈜"),
)
_COMPOUND_SURNAME_WORDS = "欧阳 司马 上官 诸葛 司徒 东方 皇甫 尉迟 公孙 慕容 令狐 夏侯 남궁 황보 제갈 선우 독고"
_TITLES = frozenset(_TITLE_WORDS.split())
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_LEGAL_FORMS = frozenset(_LEGAL_FORM_WORDS.split())
_COMPOUND_SURNAMES = frozenset(_COMPOUND_SURNAME_WORDS.split())
_SOUNDS = (
    ("sch", "s"), ("tsch", "s"), ("ch", "k"), ("ck", "k"), ("ph", "f"), ("gh", "g"), ("th", "t"), ("sh", "s"),
    ("wh", "w"), ("qu", "k"), ("c", "k"), ("q", "k"), ("z", "s"), ("v", "f"), ("w", "f"), ("x", "ks"), ("j", "y"),
    ("dt", "t"), ("d", "t"), ("b", "p"), ("g", "k"), ("m", "n"),
)  # fmt: skip
_NOT_LEADING = re.compile("[aeiouyh]")
_REPEATED = re.compile(r"(.)\1+")


class PersonName(NamedTuple):
    """A person's name in two parts, and all of it in the order of the alphabet. A part that is not known is empty."""

    first: str
    family: str
    ordered: str


NO_NAME = PersonName("", "", "")


@lru_cache(maxsize=65_536)
def plain(text: str) -> str:
    """Small letters without accents, in full-width and traditional forms alike."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text).casefold().translate(_SPECIAL)
    base = "".join(c for c in folded if unicodedata.category(c) != "Mn" or "\u3040" <= c <= "\u30ff")
    return unicodedata.normalize("NFC", base).translate(_TO_SIMPLIFIED)


def words(text: str) -> list[str]:
    """The words of a text in their normal form."""
    return [_APOSTROPHES.sub("", word) for word in _WORD.findall(plain(text))]


def is_ideographic(text: str) -> bool:
    """Whether a name is written without blanks between its parts: in Chinese, Japanese or Korean script."""
    return _IDEOGRAPHS.search(text) is not None


@lru_cache(maxsize=65_536)
def person_name(text: str) -> PersonName:
    """The parts of a person's name: `Dr. Ada Lovelace`, `Lovelace, Ada`, `王小明` and `王 小明`."""
    if not text.isascii() and is_ideographic(text):
        return _ideographic_name(words(text))
    before, comma, after = text.partition(",")
    if comma and words(after):
        parts = [*_without_titles(words(after)), *_without_titles(words(before))]
        first_count = len(_without_titles(words(after)))
    else:
        parts = _without_titles(words(text))
        first_count = 1
    if len(parts) == 0:
        return NO_NAME
    if len(parts) == 1:
        return PersonName("", parts[0], parts[0])
    family = [word for word in parts[max(first_count, 1) :] if word not in _PARTICLES] or parts[-1:]
    family = [word for word in family if len(word) > 1] or family[-1:]  # an initial in the middle says little
    return PersonName(parts[0], " ".join(family), " ".join(sorted((parts[0], *family))))


def _without_titles(parts: list[str]) -> list[str]:
    return [word for word in parts if word not in _TITLES] or parts


def _ideographic_name(parts: list[str]) -> PersonName:
    whole = "".join(parts)
    if len(parts) == 2 and len(parts[1]) < len(parts[0]) <= 3 and len(parts[1]) == 1:
        family, first = parts[1], parts[0]  # written in the order of the West
    elif len(parts) == 2:
        family, first = parts
    else:
        length = (
            2 if whole[:2] in _COMPOUND_SURNAMES or (len(whole) >= 4 and not "\uac00" <= whole[0] <= "\ud7af") else 1
        )
        family, first = whole[:length], whole[length:]
    return PersonName(first, family, "".join(sorted(whole)))


@lru_cache(maxsize=65_536)
def organisation_name(text: str) -> str:
    """A company's name without its legal form."""
    normal = plain(text)
    for suffix in _LEGAL_SUFFIXES:
        normal = normal.replace(suffix, " ")
    parts = [_APOSTROPHES.sub("", word) for word in _WORD.findall(normal.replace(".", ""))]
    return " ".join(word for word in parts if word not in _LEGAL_FORMS) or " ".join(parts)


@lru_cache(maxsize=131_072)
def skeleton(word: str) -> str:
    """The sounds of a word without its vowels, so that most misspellings have the same; other scripts stay as they are."""
    if not word.isascii():
        return word
    sounds = word
    for spelling, sound in _SOUNDS:
        sounds = sounds.replace(spelling, sound)
    consonants = _NOT_LEADING.sub("", sounds)
    return (sounds[:1] if sounds[:1] in "aeiouyh" and len(consonants) < 3 else "") + _REPEATED.sub(r"\1", consonants)[
        :6
    ]
