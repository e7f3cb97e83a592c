"""Values that systems send in place of an identifier: those of thousands of customers, so that they identify nobody.

Exact values only: a value that merely contains one may be somebody's."""

import re
import unicodedata

from hub.model.unicode_text import BLANKS, visible

# In small letters, without the quotes and brackets around them.
_WORDS = """
null none nil nan undefined true false na n/a n.a n.a. #n/a #na #ref! #value! #name? #null! #div/0! #num! -1
anonymous unknown unbekannt guest test default empty blank missing not_set notset not_available not_applicable
not_authenticated void object object.object
id uid uuid guid user_id userid user-id distinct_id distinctid customer_id customerid customer-id external_id externalid
external-id anonymous_id anonymousid device_id deviceid visitor_id contact_id account_id client_id email e-mail phone
"""
PLACEHOLDERS = frozenset(_WORDS.split()) | {
    "not set",
    "not available",
    "not applicable",
    "not provided",
    "object object",
    "user id",
    "customer id",
}
# Addresses that people type where a form insists on one. Others of these domains may be somebody's.
_ADDRESSES = """
test@test.com test@test.de test@test.org test@test.net test@test.co.uk
a@a.com a@a.de a@b.com a@b.c a@b.de aa@aa.com aaa@aaa.com abc@abc.com abc@def.com abc@xyz.com asdf@asdf.com asd@asd.com
x@x.com x@x.de x@y.com xx@xx.com xxx@xxx.com xyz@xyz.com 123@123.com
no@no.com no@no.de no@email.com no@mail.com noemail@noemail.com no-email@no-email.com nomail@nomail.com none@none.com
na@na.com n@a.com null@null.com nil@nil.com undefined@undefined.com unknown@unknown.com anonymous@anonymous.com
guest@guest.com user@user.com user@domain.com name@domain.com email@domain.com email@email.com mail@mail.com
your@email.com youremail@domain.com name@email.com foo@bar.com foo@foo.com foobar@foobar.com qwerty@qwerty.com
"""
PLACEHOLDER_ADDRESSES = frozenset(_ADDRESSES.split())
RESERVED_DOMAIN = "@example.com"  # of documentation: nobody receives mail there
WRAPPERS = "\"'`„“”‚‘’«»()[]{}<> "
# Names that no template engine filled in. A GUID may stand in braces, so that digits and dashes are none of a name.
TEMPLATE = re.compile(
    r"\{\{.*\}\}|\$\{.*\}|\{[a-z_.\s]+\}|<%.*%>|<[a-z_.\s]+>|%[a-z_.]+%|\[\[.*\]\]|\$[a-z_]+", re.DOTALL
)
REPEATED_ZERO = re.compile(r"[0\s-]*")


def is_placeholder(value: str, *, is_email: bool) -> bool:
    """Whether a value stands for the lack of an identifier."""
    text = unicodedata.normalize("NFKC", BLANKS.sub(" ", visible(value))).strip().lower()
    if is_email and "@" in text:
        return text in PLACEHOLDER_ADDRESSES or text.endswith(RESERVED_DOMAIN)
    if TEMPLATE.fullmatch(text) or not any(map(_says_something, text)):
        return bool(text)
    bare = text.strip(WRAPPERS)
    return bare in PLACEHOLDERS or REPEATED_ZERO.fullmatch(bare) is not None


def _says_something(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in ("Mn", "Mc", "So")
