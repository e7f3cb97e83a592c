"""GraphQL over HTTP: negotiation, request bodies, the endpoint, responses, server-sent events."""
