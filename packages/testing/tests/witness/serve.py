"""Serve the application of the witness, on whatever version of the library this Python has.

The first line of standard input has the settings, in JSON; the first line of standard output the port, and
the statements that have made the tables if the setting ``witness.make_tables`` is true. It ends with its
standard input.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from typing import Any

import waitress
from sqlalchemy import event
from witness_app import Base, engines, main


def _made_tables(engine: Any) -> list[str]:
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute", named=True)
    def note(**said: Any) -> None:
        if said["statement"].lstrip().startswith("CREATE"):
            statements.append(said["statement"].strip())

    Base.metadata.create_all(engine)
    return statements


logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
settings = json.loads(sys.stdin.readline())
app = main({}, **settings)
made = _made_tables(engines[0]) if settings.get("witness.make_tables") else []
server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4, url_scheme="https")
print(json.dumps({"port": server.effective_port, "tables": made}), flush=True)  # noqa: T201 - its interface
threading.Thread(target=server.run, daemon=True).start()
sys.stdin.read()
