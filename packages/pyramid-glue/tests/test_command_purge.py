"""`pyramid-sessions purge`, and its old name: fit for cron."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import command_site
import pytest
from click.testing import CliRunner
from site_under_test import FullSession
from websession_core.state import Activity
from websession_models import SessionRow, Store, fresh_session_id
from websession_pyramid.command.purge import gc

ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])


@pytest.fixture
def config(command, ini):
    """An application with its tables."""
    uri = ini(session__idle_timeout="1800")
    assert command("stats", uri).exit_code == 0
    return uri


def add(*deadlines):
    now, store = int(time.time()), Store.for_model(FullSession)
    with command_site.engines[-1].begin() as connection:
        for deadline in deadlines:
            row = SessionRow(
                fresh_session_id(),
                created=now - 9000,
                version=1,
                epoch=0,
                data="{}",
                flash="{}",
                activity=Activity(active_at=now + deadline - 1800, expires_at=now + deadline),
            )
            store.insert(connection, row)


def left(command, uri):
    return json.loads(command("stats", "--json", uri).stdout)


def test_what_has_ended_goes_and_a_line_says_so(command, config):
    add(-5000, -4000, -5, 500)
    result = command("purge", config)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("2 sessions deleted in ")
    found = left(command, config)
    assert (found["active"], found["expired"]) == (1, 1)


@ON_SQLITE
def test_limits_and_a_margin(command, config):
    add(-5000, -4000, -3000, -5)
    result = command("purge", "--max-rows", "2", config)
    assert result.stdout.endswith("; there are more.\n")
    assert left(command, config)["expired"] == 2
    command("purge", "--margin", "0", "--max-seconds", "5min", "--batch", "1", config)
    assert left(command, config)["expired"] == 0


@ON_SQLITE
def test_a_dry_run_deletes_nothing(command, config):
    add(-5000, -4000, 500)
    assert command("purge", "--dry-run", config).stdout == "2 sessions would be deleted.\n"
    assert left(command, config)["expired"] == 2


@ON_SQLITE
def test_numbers_for_machines(command, config):
    add(-5000)
    found = json.loads(command("purge", "--json", config).stdout)
    assert found.pop("seconds") >= 0
    assert found == {
        "sessions": 1,
        "orphans": 0,
        "left": 0,
        "refused": 0,
        "finished": True,
        "rescheduled": 0,
        "dry_run": False,
        "format_version": 1,
    }


@ON_SQLITE
def test_the_old_name_does_the_same(config):
    add(-5000)
    result = CliRunner().invoke(gc, [config])
    assert result.exit_code == 0
    assert result.stdout.startswith("1 session deleted")


@ON_SQLITE
def test_a_model_without_deadlines_is_told_with_a_remedy(command, ini):
    result = command("purge", ini(session__model_class="site_under_test.Session"))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "IdleMixin" in result.stderr


def test_both_names_are_installed():
    for name in ("pyramid-sessions", "pyramid_session_gc"):
        script = sys.executable.rsplit("/", 1)[0] + f"/{name}"
        done = subprocess.run([script, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "past their deadline" in done.stdout
