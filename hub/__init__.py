"""A headless GraphQL customer-data hub on Postgres; ARCHITECTURE.md describes its packages."""

import gc
import sys

# Objects created at start live as long as the process, and requests leave few reference cycles. Python's default thresholds would
# spend a sixth of the start on garbage collection.
gc.set_threshold(100_000, 10, 50)

# Documents are checked and planned in a thread. While it computes, the event loop gets its turn after this many seconds; by
# default it waits five milliseconds, several times per request.
sys.setswitchinterval(0.0005)
