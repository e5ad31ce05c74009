"""Encrypted, authenticated cookie tokens (XAES-256-GCM) with key rotation, for any web application."""
