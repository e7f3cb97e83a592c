"""Access to Postgres: pool, transactions, change log, positions, locks, migrations. Knows no GraphQL and no entity."""
