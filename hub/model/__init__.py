"""What an entity is: columns, validators, scopes, declarations, the generic writer, workflows, idempotency records."""
