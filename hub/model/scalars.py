"""Python types that stand for a kind of value of their own: amounts of money and JSON."""

from decimal import Decimal
from typing import NewType

MoneyAmount = NewType("MoneyAmount", Decimal)  # numeric(18,4) beside its row's `currency`
Json = NewType("Json", object)
