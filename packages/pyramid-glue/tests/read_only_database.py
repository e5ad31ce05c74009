"""Real databases that can be made read-only under a running application, and take writes again."""

from __future__ import annotations

import abc
import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event, make_url, text

if TYPE_CHECKING:
    from sqlalchemy import Engine


class ReadOnlyDatabase(abc.ABC):
    """A database that can be made read-only.

    Attributes:
        url: For the application.
    """

    url: URL

    def serve(self, engine: Engine) -> None:  # noqa: B027 - most have nothing to do
        """Take note of an application's engine."""

    @abc.abstractmethod
    def refuse_writes(self) -> None:
        """Take no more writes."""

    @abc.abstractmethod
    def take_writes(self) -> None:
        """Take writes again."""

    def close(self) -> None:
        """Be as before."""
        self.take_writes()


class MySQLServer(ReadOnlyDatabase):
    """A server of MySQL's family, and on it an account that has nothing but the database.

    Args:
        url: The URL of a database on it, of an account that may make the server read-only.
        option: The variable that makes it refuse the writes of others.
    """

    def __init__(self, url: str, option: str) -> None:
        self._option = option
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT")
        self._account = f"app_{secrets.token_hex(4)}"
        password = secrets.token_urlsafe(16)
        self._execute(f"CREATE USER {self._account}@'127.0.0.1' IDENTIFIED BY '{password}'")
        self._execute(f"GRANT ALL PRIVILEGES ON {make_url(url).database}.* TO {self._account}@'127.0.0.1'")
        self.url = make_url(url).set(username=self._account, password=password)
        # Without TLS, mysql-connector cannot be the first to log in to an account of MySQL's.
        engine = create_engine(self.url)
        engine.connect().close()
        engine.dispose()

    def refuse_writes(self) -> None:
        """Take no more writes."""
        self._execute(f"SET GLOBAL {self._option} = ON")

    def take_writes(self) -> None:
        """Take writes again."""
        self._execute("SET GLOBAL read_only = OFF")  # which switches the other one off, too

    def close(self) -> None:
        """Be as before."""
        self.take_writes()
        self._execute(f"DROP USER {self._account}@'127.0.0.1'")
        self._engine.dispose()

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))


class PostgreSQLDatabase(ReadOnlyDatabase):
    """A database of PostgreSQL's whose transactions are read-only by default, if its connections began so.

    Args:
        url: Its URL, of an account that may change it.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self._served: list[Engine] = []
        always = {"options": "-c default_transaction_read_only=off"}
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args=always)

    def serve(self, engine: Engine) -> None:
        """Take note of an application's engine."""
        self._served.append(engine)

    def refuse_writes(self) -> None:
        """Take no more writes: connections from before are ended, as for maintenance."""
        self._execute(f'ALTER DATABASE "{self.url.database}" SET default_transaction_read_only = on')
        for engine in self._served:
            engine.dispose()

    def take_writes(self) -> None:
        """Take writes again, by connections that begin now."""
        self._execute(f'ALTER DATABASE "{self.url.database}" RESET default_transaction_read_only')

    def close(self) -> None:
        """Be as before."""
        super().close()
        self._engine.dispose()

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))


class SQLiteFile(ReadOnlyDatabase):
    """A file of SQLite's, on a disk that takes no writes for a while.

    Args:
        url: Its URL.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self._query_only = "OFF"

    def serve(self, engine: Engine) -> None:
        """Take note of an application's engine."""

        @event.listens_for(engine, "checkout")
        def checkout(connection: Any, *_: object) -> None:
            connection.execute(f"PRAGMA query_only = {self._query_only}")

    def refuse_writes(self) -> None:
        """Take no more writes."""
        self._query_only = "ON"

    def take_writes(self) -> None:
        """Take writes again."""
        self._query_only = "OFF"
