"""Databases for tests on a server that the user names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from . import _databases
from ._process import ServerError
from ._url import DatabaseURL

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

DATABASE_ACCESS_DENIED = 1044  # MariaDB, MySQL


class OwnServer:
    """A server given by a URL; has the `create_database` and `drop_database` of a throw-away one.

    Args:
        url: The SQLAlchemy URL of a database on a PostgreSQL, MariaDB or MySQL server; any synchronous
            driver.
        shared: Several test processes use the URL at once.

    Raises:
        ServerError: The server cannot be reached; the text does not contain the password.
    """

    def __init__(self, url: str, *, shared: bool) -> None:
        self._url = sa.make_url(url)
        self._shared = shared
        self._created: dict[str, str] = {}
        self._engine = _databases.administration(self._url)
        try:
            self._may_create = self._allowed_to_create()
        except sa.exc.DBAPIError as error:
            raise ServerError(f"{self._url!r}: {error.orig}") from None

    def create_database(self) -> str:
        """Return the URL of an empty database: a new one, or the URL's own if the account may not create any.

        Raises:
            ServerError: The account may not create databases, and the URL's own is not empty, or cannot
                be had for oneself.
        """
        if self._may_create:
            name = _databases.new_name()
            try:
                _databases.create(self._engine, name)
            except sa.exc.DBAPIError as error:
                if error.orig is None or error.orig.args[0] != DATABASE_ACCESS_DENIED:
                    raise
                self._may_create = False
            else:
                url = DatabaseURL(self._url.set(database=name).render_as_string(hide_password=False))
                self._created[url] = name
                return url
        return self._url_own_database()

    def drop_database(self, url: str) -> None:
        """Drop a database that `create_database` gave; empty it if it is the URL's own."""
        name = self._created.pop(url, None)
        if name is None:
            self._empty()
        else:
            _databases.drop(self._engine, name)

    def _allowed_to_create(self) -> bool:
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                roles = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
                return bool(connection.scalar(sa.text(roles)))
            return True  # grants may be patterns of names: MariaDB and MySQL tell by refusing

    def _url_own_database(self) -> str:
        which = f"database {self._url.database!r} of --websession-db-url"
        if self._shared:
            raise ServerError(
                f"the account may not create databases, and {which} cannot be shared by several workers"
            )
        # What is found here may be somebody's data; it is refused, never removed.
        if self._tables(self._engine):
            raise ServerError(f"the account may not create databases, and {which} is not empty")
        return DatabaseURL(self._url.render_as_string(hide_password=False))

    def _empty(self) -> None:
        """Drop the tables in the URL's database; it was empty when the test got it."""
        with self._engine.connect() as connection:
            metadata = sa.MetaData()
            metadata.reflect(connection)
            metadata.drop_all(connection)

    @staticmethod
    def _tables(engine: Engine) -> list[str]:
        inspector = sa.inspect(engine)
        return [*inspector.get_table_names(), *inspector.get_view_names()]
