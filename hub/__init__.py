"""A headless GraphQL customer-data hub over Postgres; ARCHITECTURE.md is the map of its rooms."""

import gc

# What is imported and built at the start lives for ever, and requests leave few circles: looking for them at Python's own pace
# is a sixth of a start.
gc.set_threshold(100_000, 50, 1_000)
