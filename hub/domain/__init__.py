"""One file per subject: its tables, its rules, its commands, and who may see its rows. Knows no GraphQL."""
