"""What has to be on the disk before the shop can open: a key, tables, and something to sell."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pyramid_sqlalchemy_sessions import generate_secret_key
from sqlalchemy import inspect

from .models import get_session_factory
from .models.meta import Base
from .seeds import fill

if TYPE_CHECKING:
    from sqlalchemy import Engine


def ensure_secret_key(file: Path) -> None:
    """Write a new key into the file, readable by its owner only, unless there is one already."""
    if file.exists():
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written aside and moved into place, so that a half-written key is never read. `mkstemp` makes files
    # with mode 0600.
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w", encoding="ascii") as key:
        key.write(generate_secret_key() + "\n")
    Path(name).replace(file)


def ensure_database(engine: Engine) -> None:
    """Create the tables that are missing, and fill them if they are empty."""
    Base.metadata.create_all(engine)
    with get_session_factory(engine).begin() as dbsession:
        fill(dbsession)


def has_other_tables(engine: Engine) -> bool:
    """Whether the database holds tables of ours with other columns than this version's: it is too old."""
    inspector = inspect(engine)
    existing = set(inspector.get_table_names())
    return any(
        {column["name"] for column in inspector.get_columns(table.name)} != set(table.columns.keys())
        for table in Base.metadata.tables.values()
        if table.name in existing
    )
