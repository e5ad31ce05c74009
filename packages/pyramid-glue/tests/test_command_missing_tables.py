"""Every command where a migration was forgotten: a sentence with a remedy, no traceback."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import command_site
import pytest
from sqlalchemy import text
from websession_crypto import generate_secret_key

COMMANDS = [
    ("stats",),
    ("list",),
    ("show", "abcd"),
    ("revoke", "abcd"),
    ("revoke", "--all", "--yes"),
    ("purge",),
    ("purge", "--dry-run"),
    ("encrypt",),
    ("encrypt", "--dry-run"),
]
SEALED = {
    "session__model_class": "site_under_test.SealedSession",
    "session__data_secret_key": generate_secret_key(),
    "session__idle_timeout": "1800",
}


@pytest.fixture(params=["sealed_session", "sealed_session_activity"])
def missing(request, command, ini):
    """A configuration, and the one table that its database lacks."""
    assert command("stats", ini(**SEALED)).exit_code == 0
    with command_site.engines[-1].begin() as connection:
        connection.execute(text(f"DROP TABLE {request.param}"))
    return ini(**SEALED, command_site__tables="false"), request.param


def in_a_terminal(*arguments):
    """Run the command with a terminal, as a person does; return its status and what is shown."""
    tests = Path(__file__).parent
    path = os.pathsep.join([str(tests), *filter(None, [os.environ.get("PYTHONPATH")])])
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("pyramid-sessions"), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "500"},
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # how Linux says that nobody has the other end open any more
        pass
    os.close(ours)
    return process.wait(), shown.decode()


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_missing_table_is_named_with_a_remedy(command, missing, arguments):
    name, *options = arguments
    uri, table = missing
    result = command(name, uri, *options)
    assert (result.exit_code, result.stdout) == (4, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: The tables are not those of the session model: ")
    assert table in line
    assert line.endswith(
        "Run the migrations (alembic upgrade head); pyramid-sessions doctor says what else is wrong."
    )


@pytest.mark.parametrize("websession_engine_name", ["sqlite"])
@pytest.mark.parametrize("arguments", [*COMMANDS, ("doctor",)], ids=" ".join)
def test_so_it_is_in_a_terminal(missing, arguments):
    name, *options = arguments
    uri, table = missing
    status, shown = in_a_terminal(name, uri, *options)
    assert status == (1 if name == "doctor" else 4), shown
    assert "Traceback" not in shown
    assert "alembic upgrade head" in shown
    assert table in shown


def test_a_missing_column_is_told_alike(command, ini):
    command("stats", ini(**SEALED))
    with command_site.engines[-1].begin() as connection:
        connection.execute(text("ALTER TABLE sealed_session DROP COLUMN data"))
    for name in ("stats", "list", "encrypt"):
        result = command(name, ini(**SEALED, command_site__tables="false"))
        assert (result.exit_code, result.stdout) == (4, "")
        assert "alembic upgrade head" in result.stderr
        assert "data" in result.stderr


def test_a_table_that_is_there_and_empty_is_not_missing(command, ini):
    uri = ini(**SEALED)
    for name, *options in COMMANDS:
        status = 1 if "abcd" in options else 0
        assert command(name, uri, *options).exit_code == status
