"""pytest fixtures for applications that use SQL-backed Pyramid sessions."""
