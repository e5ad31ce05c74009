"""Pyramid sessions in the application's own database and transaction."""
