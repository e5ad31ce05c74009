"""Lets the tests find the MySQL server that `hatch run mysql:get` has brought."""

import os
from pathlib import Path

server = Path(__file__).parent / ".mysql" / "mysqld"
if server.exists():
    os.environ.setdefault("WEBSESSION_MYSQLD", str(server))
