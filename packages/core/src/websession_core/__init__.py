"""The rules of server-side web sessions, as pure values: no framework, no database, no clock."""
