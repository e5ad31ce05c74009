"""The application whose sessions `operating.py` lets the commands work on; PasteDeploy calls `main()`."""

from __future__ import annotations

from typing import Any

from contenders.database import make_engine
from contenders.ours import Full
from contenders.pyramid_app import make_app
from sqlalchemy.orm import sessionmaker


def main(_global_config: dict[str, str], **settings: Any) -> Any:
    """Return the application on the database that the ini file names."""
    return make_app(
        {},
        settings={**settings, "session.model_class": Full},
        configure=lambda config: config.include("pyramid_sqlalchemy_sessions"),
        make_dbsession=sessionmaker(make_engine(settings["sqlalchemy.url"])),
    )
