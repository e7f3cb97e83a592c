"""GraphQL over WebSocket: handshake, frames, connection, session, operations."""
