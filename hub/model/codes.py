"""Codes of countries, currencies and languages in normal form: ISO 3166-1, ISO 4217, BCP 47.

pycountry brings the lists of current codes; those that it leaves out stand here. Each function returns None for no code."""

import re
from functools import lru_cache

import pycountry

# Assigned by users of ISO 3166-1 and in general use, though the standard lists no Kosovo.
USER_ASSIGNED_COUNTRIES = frozenset({"XK"})
# ISO 4217, list three: currencies that were withdrawn. Old orders stay in theirs.
_CURRENCIES = """
ADP AFA ALK ANG AOK AON AOR ARA ARP ARY ATS AYM AZM BAD BEC BEF BEL BGJ BGK BGL BGN BOP BRB BRC BRE BRN BRR BUK BYB BYR
CHC CSD CSJ CSK CUC CYP DDM DEM ECS ECV EEK ESA ESB ESP FIM FRF GEK GHC GHP GNE GNS GQE GRD GWE GWP HRD HRK IEP ILP
ILR ISJ ITL LAJ LSM LTL LTT LUC LUF LUL LVL LVR MGF MLF MRO MTL MTP MVQ MXP MZE MZM NIC NLG PEH PEI PES PLZ PTE RHD ROK
ROL RUR SDD SDP SIT SKK SLL SRG STD SUR TJR TMM TPE TRL UAK UGS UGW USS UYN UYP VEB VEF VNC XEU XFO XFU XRE YDD YUD YUM
YUN ZAL ZMK ZRN ZRZ ZWC ZWD ZWL ZWN ZWR
"""
WITHDRAWN_CURRENCIES = frozenset(_CURRENCIES.split())
# UN M.49: the world, its continents and regions, which languages may be of.
_REGIONS = """
001 002 003 005 009 011 013 014 015 017 018 019 021 029 030 034 035 039 053 054 057 061 142 143 145 150 151 154 155 202
419
"""
WORLD_REGIONS = frozenset(_REGIONS.split())
REPLACED_LANGUAGES = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro"}
# RFC 5646, in lower case: language, script, region, variants, extensions, private use.
LANGUAGE_TAG = re.compile(
    r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?((?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"((?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?)"
)
MAX_TAG_LENGTH = 64


@lru_cache(maxsize=1024)
def country_code(text: str) -> str | None:
    """ISO 3166-1 alpha-2, in capitals; also XK."""
    code = text.upper()
    return code if code in USER_ASSIGNED_COUNTRIES or pycountry.countries.get(alpha_2=code) is not None else None


@lru_cache(maxsize=1024)
def currency_code(text: str) -> str | None:
    """ISO 4217, in capitals; also a currency that was withdrawn."""
    code = text.upper()
    return code if code in WITHDRAWN_CURRENCIES or pycountry.currencies.get(alpha_3=code) is not None else None


@lru_cache(maxsize=1024)
def language_tag(text: str) -> str | None:
    """BCP 47, `zh-Hant-TW`: the shortest code of the language, script and region as the standard writes them."""
    match = LANGUAGE_TAG.fullmatch(text.lower().replace("_", "-"))
    if match is None or len(text) > MAX_TAG_LENGTH:
        return None
    code, script, region, variants, extensions = match.groups()
    language = _language(REPLACED_LANGUAGES.get(code, code))
    if language is None:
        return None
    parts = [language]
    if script is not None:
        if pycountry.scripts.get(alpha_4=script.title()) is None:
            return None
        parts.append(script.title())
    if region is not None:
        if region not in WORLD_REGIONS and country_code(region) is None:
            return None
        parts.append(region.upper())
    return "-".join(parts) + variants + extensions


def _language(code: str) -> str | None:
    """ISO 639: two letters where a language has them, else three; the bibliographic three letters lead there too."""
    languages = pycountry.languages
    keys = ("alpha_2",) if len(code) == 2 else ("alpha_3", "bibliographic")
    entry = next(filter(None, (languages.get(**{key: code}) for key in keys)), None)
    return None if entry is None else str(getattr(entry, "alpha_2", entry.alpha_3))
