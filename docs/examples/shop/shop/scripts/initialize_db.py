"""`initialize_shop_db development.ini`: make the key, the tables and their first contents."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyramid.paster import get_appsettings, setup_logging

from ..models import get_engine
from ..storage import ensure_database, ensure_secret_key


def main(argv: list[str] | None = None) -> int:
    """Prepare what the ini file names; what is there stays as it is."""
    parser = argparse.ArgumentParser(prog="initialize_shop_db", description=__doc__)
    parser.add_argument("config_uri", help="the configuration file, for example development.ini")
    arguments = parser.parse_args(argv)

    setup_logging(arguments.config_uri)
    settings = get_appsettings(arguments.config_uri)
    scheme, _, key_file = settings["session.secret_key"].partition(":")
    if scheme == "file":
        ensure_secret_key(Path(key_file))
    engine = get_engine(settings)
    if engine.url.get_backend_name() == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        ensure_database(engine)
    finally:
        engine.dispose()
    print("The database is ready.")
    return 0
