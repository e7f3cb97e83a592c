"""A headless GraphQL customer-data hub on Postgres; ARCHITECTURE.md describes its packages."""

import gc

# Objects created at start live as long as the process, and requests leave few reference cycles. Python's default thresholds would
# spend a sixth of the start on garbage collection.
gc.set_threshold(100_000, 10, 50)
