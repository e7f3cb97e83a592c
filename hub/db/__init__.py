"""The way to Postgres: the pool, the migrations, row helpers. Knows no GraphQL and no subject."""
