"""A headless GraphQL customer-data hub over Postgres; ARCHITECTURE.md is the map of its rooms."""
