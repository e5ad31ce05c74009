"""`shop-demo`: open the shop with nothing prepared."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL
from waitress import create_server

from .. import main as make_app
from ..models import get_engine
from ..seeds import DEMO_USERS
from ..storage import ensure_database, ensure_secret_key, has_other_tables

if TYPE_CHECKING:
    from types import FrameType

    from sqlalchemy import Engine

HOST = "127.0.0.1"
PORT = 6543
SESSION_SETTINGS = {
    "session.model_class": "shop.models.session.Session",
    "session.idle_timeout": 14 * 86400,
    "session.absolute_timeout": 90 * 86400,
    "session.renewal_timeout": 900,
    "session.visitor_cookie_max_age": 14 * 86400,
}
"""As in development.ini, which says why; a shop that was installed has no ini file."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(argv: list[str] | None = None) -> int:
    """Prepare a folder, serve the shop from it, and stop quietly when asked to."""
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # A shell that starts a command in the background lets it ignore SIGINT: set both.
    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    if "HATCH_ENV_ACTIVE" in os.environ and os.name == "posix":
        threading.Thread(target=stop_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        run(arguments.dir.absolute(), arguments.port)
    except KeyboardInterrupt:
        pass
    except OSError as error:
        print(f"shop-demo: {error}", file=sys.stderr)
        return 1
    say("Stopped.")
    return 0


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="shop-demo", description="A small shop that shows pyramid_sqlalchemy_sessions at work."
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=default_folder(),
        help="where the database and the key are kept (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, default=PORT, help="default: %(default)s")
    return parser.parse_args(argv)


def default_folder() -> Path:
    """`var/` of the project when the code runs from a checkout, else a folder where the command is run."""
    project = Path(__file__).parents[2]
    if (project / "development.ini").is_file():
        return project / "var"
    return Path("shop-demo-data")


def stop(_number: int, _frame: FrameType | None) -> None:
    """Make the server's loop end. Further signals are ignored: stopping has begun."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def stop_with_parent(parent: int) -> None:
    """End when the parent does.

    `hatch run` that is killed would leave us behind, holding the port.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def run(folder: Path, port: int) -> None:
    """Serve until a signal comes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file = folder / "secret.key"
    ensure_secret_key(key_file)
    settings: dict[str, Any] = {
        **SESSION_SETTINGS,
        "session.secret_key": key_file.read_text(encoding="ascii"),
        "sqlalchemy.url": URL.create("sqlite", database=str(folder / "shop.sqlite")),
    }
    engine = open_database(settings)
    try:
        app = make_app({}, dbengine=engine, **settings)
        with listen(port) as listener:
            server = create_server(app, sockets=[listener], threads=4)
            try:
                greet(folder, port, listener.getsockname()[1])
                server.run()
            finally:
                server.close()
    finally:
        engine.dispose()


def open_database(settings: dict[str, Any]) -> Engine:
    """The engine, on a database of this version of the shop."""
    engine = get_engine(settings)
    if has_other_tables(engine):
        engine.dispose()
        set_aside(Path(engine.url.database or ""))
        engine = get_engine(settings)
    ensure_database(engine)
    return engine


def set_aside(database: Path) -> None:
    """Rename the database of another version, with the files SQLite keeps beside it."""
    old = database.with_name(database.name + ".old")
    for suffix in ("", "-wal", "-shm"):
        file = Path(f"{database}{suffix}")
        if file.exists():
            file.replace(f"{old}{suffix}")
    say(f"The database was made by another version of this demo. It is now called {old.name}.")


def listen(port: int) -> socket.socket:
    """A socket on the port, or on a free one if that is taken."""
    for candidate in (port, *range(port + 1, port + 10)):
        try:
            return bind(candidate)
        except (OSError, OverflowError):
            continue
    return bind(0)


def bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # Elsewhere this option would let two servers share a port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except BaseException:
        listener.close()
        raise
    return listener


def greet(folder: Path, wanted_port: int, port: int) -> None:
    """Say where the shop is and how to leave it."""
    width = max(len(user.name) for user in DEMO_USERS)
    users = [f"{user.name:<{width}}  password {user.password}" for user in DEMO_USERS]
    say("The Copper Kettle, a demo of pyramid_sqlalchemy_sessions")
    say("")
    if port != wanted_port:
        say(f"  Note    port {wanted_port} is taken, so this is another one")
    say(f"  Open    http://{HOST}:{port}/")
    say(f"  Log in  {users[0]}")
    for user in users[1:]:
        say(f"          {user}")
    say(f"  Data    {folder}")
    say("  Stop    Ctrl-C")
    say("")


def say(line: str) -> None:
    # Flushed, because whoever started us may be reading a pipe.
    print(line, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
