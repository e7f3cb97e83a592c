"""API keys and the encryption of secrets."""
