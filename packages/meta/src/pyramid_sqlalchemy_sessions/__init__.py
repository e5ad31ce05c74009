"""Server-side web sessions for Pyramid that keep their truth in your SQL database."""
