"""SQLAlchemy models and the store of server-side web sessions."""
