"""Contact points: canonical addresses and numbers, and the proof that one is verified."""

from hub.errors import Forbidden
from hub.model import validators
from hub.model.rules import Write, authorizes, normalizes
from hub.schema.customers.contacts import ContactPoint, PointKind

PHONE_POINT_KINDS = (PointKind.PHONE, PointKind.MOBILE, PointKind.FAX)


@normalizes(ContactPoint.value, ContactPoint.kind, ContactPoint.country, ContactPoint.value)
def canonical_value(point_kind: PointKind, country: str | None, value: str) -> str:
    """An e-mail address or a telephone number in normal form; other values as they are. Raises ValueError."""
    if point_kind is PointKind.EMAIL:
        return validators.email(value)
    return validators.phone(value, country) if point_kind in PHONE_POINT_KINDS else value


@authorizes(ContactPoint)
def authorize_verified(write: Write) -> None:
    """A customer cannot verify an address of its own."""
    if write.viewer.binding == "customer" and write.values.get("verified"):
        message = "verified: a key bound to a customer proves nothing of the customer; leave it out."
        raise Forbidden(message, argument="verified")
