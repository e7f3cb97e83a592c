"""Names of clocks, as declarations and policies write them."""

import re

CLOCK_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
