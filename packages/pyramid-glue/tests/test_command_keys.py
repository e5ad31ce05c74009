"""`pyramid-sessions keygen` and `rotate-key`, and what goes wrong on the way to an application."""

from __future__ import annotations

import configparser
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import command_site
import pytest
from site_under_test import FullSession
from sqlalchemy.orm import Session as DatabaseSession
from websession_crypto import Keyring, generate_secret_key

# Where no database is asked, one engine is enough.
ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])

# Not random to us, but so to everybody's eyes.
KEY = "KBF0hxZbq3N_kD8yRr1WmXo5vTgQeJ7cPzB2sLiA4Kw"


class TestKeygen:
    def test_a_key_and_nothing_else_is_on_standard_output(self, command):
        result = command("keygen")
        assert result.exit_code == 0
        assert result.stderr == ""
        assert len(Keyring.from_text(result.stdout)) == 1
        assert command("keygen").stdout != result.stdout


class TestRotateKey:
    @ON_SQLITE
    def test_the_new_key_stands_in_front_of_the_present_ones_as_a_setting(self, command, ini):
        old = f"{generate_secret_key()} {generate_secret_key()}"
        result = command("rotate-key", ini(session__secret_key=old))
        assert result.exit_code == 0
        settings = configparser.ConfigParser()
        settings.read_string("[app:main]\n" + result.stdout)
        new, *rest = settings["app:main"]["session.secret_key"].split()
        assert rest == old.split()
        assert new not in rest
        for key in (new, *rest):
            assert key not in result.stderr
        assert "secret" in result.stderr

    @ON_SQLITE
    def test_the_application_starts_with_what_was_printed(self, command, ini):
        first = json.loads(command("rotate-key", "--json", ini()).stdout)
        assert first["setting"] == "session.secret_key"
        again = ini(session__secret_key="\n    " + "\n    ".join(first["keys"]))
        second = json.loads(command("rotate-key", "--json", again).stdout)
        assert second["keys"][1:] == first["keys"]

    @ON_SQLITE
    @pytest.mark.parametrize("kind", ["env", "file"])
    def test_keys_that_are_kept_elsewhere_stay_there(self, command, ini, tmp_path, monkeypatch, kind):
        keys = [generate_secret_key(), generate_secret_key()]
        file = tmp_path / "key"
        file.write_text("\n".join(keys))
        file.chmod(0o600)
        monkeypatch.setenv("SHOP_KEYS", " ".join(keys))
        source = "env:SHOP_KEYS" if kind == "env" else f"file:{file}"
        result = command("rotate-key", ini(session__secret_key=source))
        assert result.exit_code == 0
        settings = configparser.ConfigParser()
        settings.read_string("[app:main]\n" + result.stdout)
        new, *rest = settings["app:main"]["session.secret_key"].split()
        assert rest == [source]
        assert not any(key in result.output for key in keys)
        assert len(Keyring.from_sources([new, *rest])) == 3
        again = json.loads(command("rotate-key", "--json", ini(session__secret_key=f"{new} {source}")).stdout)
        assert again["keys"][1:] == [new, source]

    @ON_SQLITE
    def test_the_longest_life_of_a_cookie_is_told(self, command, ini):
        result = command("rotate-key", ini(session__absolute_timeout="43200"))
        assert "The old keys can go 12 h 2 min after" in result.stderr

    @ON_SQLITE
    def test_it_is_not_told_too_short_and_the_doctor_says_the_same(self, command, ini):
        keys = f"{generate_secret_key()} {generate_secret_key()}"
        config = ini(session__absolute_timeout="86400", session__secret_key=keys)
        assert "The old keys can go 1 d 1 h after" in command("rotate-key", config).stderr
        assert "an old one can go 1 d 1 h after" in command("doctor", config).stdout

    def test_a_sessions_own_wish_counts(self, command, ini):
        config = ini(session__absolute_timeout="43200")
        command("rotate-key", config)
        month = 30 * 86400
        with DatabaseSession(command_site.engines[-1]) as db:
            db.add(FullSession(absolute_timeout=0, cookie_max_age=month, userid=1))
            db.commit()
        found = json.loads(command("rotate-key", "--json", config).stdout)
        assert found["old_needed_seconds"] == month + 120
        assert found["table_was_asked"] is True

    @ON_SQLITE
    def test_never_is_told_with_what_to_set(self, command, ini):
        result = command("rotate-key", ini())
        assert "can never go by themselves" in result.stderr
        assert "session.absolute_timeout" in result.stderr
        assert json.loads(command("rotate-key", "--json", ini()).stdout)["old_needed_seconds"] is None

    @ON_SQLITE
    def test_sessions_of_nobody_are_named_if_it_is_them(self, command, ini):
        result = command("rotate-key", ini(session__idle_timeout="600", session__renewal_timeout="300"))
        assert "how long anonymous sessions keep" in result.stderr

    def test_a_table_that_cannot_be_asked_is_told(self, command, ini):
        result = command("rotate-key", ini(command_site__tables="false", session__cookie_max_age="3600"))
        assert result.exit_code == 0
        assert "could not be asked" in result.stderr
        assert "1 h 2 min" in result.stderr


@ON_SQLITE
class TestTheCommandSaysThat:
    """Mistakes are told in sentences with a remedy, on standard error, with a status of their kind."""

    def test_there_is_no_such_file(self, command, ini):
        result = command("rotate-key", "nowhere.ini")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "There is no file nowhere.ini" in result.stderr
        assert "production.ini#main" in result.stderr

    def test_there_is_no_such_section(self, command, ini):
        result = command("rotate-key", ini() + "#other")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "'other'" in result.stderr
        assert "#" in result.stderr

    def test_the_uri_is_of_no_known_kind(self, command, ini):
        result = command("rotate-key", "gopher://x")
        assert result.exit_code == 2
        assert "Give an ini file" in result.stderr

    def test_the_settings_have_mistakes_and_lists_them(self, command, ini):
        result = command("rotate-key", ini(session__cookie_max_age="soon", session__secret_key="hunter2"))
        assert result.exit_code == 3
        assert "session.cookie_max_age" in result.stderr
        assert "session.secret_key" in result.stderr
        assert "hunter2" not in result.stderr
        assert "/reference/errors/#configurationerror" in result.stderr

    @pytest.mark.parametrize("subcommand", ["doctor", "rotate-key"])
    @pytest.mark.parametrize(
        "line",
        [
            f"session.secret_key = file:/{KEY}",
            f"session.secret_key = env:{KEY}",
            f"session.secret_key = file:/run/secrets/session_key env:{KEY} file:/run/{KEY}/x",
            f"session.data_secret_key = file:/{KEY}",
            f"session.model_class = {KEY}",
            f"session.model_class = shop.{KEY}",
            f"session.secretkey = {KEY}",
            f"session.secret_key {KEY}=",
            f"session.secret_key = %2F{KEY}",
            f"session.secret_key = {KEY} %(nothing)s",
            f"session.secret_key {KEY}",
            f"command_site.raise = there is no {KEY}",
        ],
    )
    def test_no_key_is_shown_whatever_is_wrong_with_its_line(self, command, ini, caplog, subcommand, line):
        caplog.set_level(logging.DEBUG)
        file = Path(ini())
        name = line.partition(" ")[0]
        lines = [each for each in file.read_text().splitlines() if not each.startswith(f"{name} =")]
        file.write_text("\n".join([*lines, line, ""]))
        result = command(subcommand, str(file))
        assert result.exit_code in {2, 3}
        said = result.output + result.stderr + caplog.text
        assert not [start for start in range(len(KEY) - 8) if KEY[start : start + 8] in said]
        assert "site.ini" in result.stderr

    def test_the_application_does_not_start(self, command, ini):
        result = command("rotate-key", ini(command_site__raise="no moon tonight"))
        assert result.exit_code == 3
        assert "RuntimeError: no moon tonight" in result.stderr
        assert "pserve" in result.stderr

    def test_the_application_has_no_sessions_of_ours(self, command, ini):
        result = command("rotate-key", ini(command_site__sessions="false"))
        assert result.exit_code == 3
        assert "config.include('pyramid_sqlalchemy_sessions')" in result.stderr

    def test_the_application_has_no_such_attribute(self, command, ini):
        result = command("rotate-key", ini(), "--session", "admin_session")
        assert result.exit_code == 2
        assert "request.admin_session" in result.stderr
        assert "--session: session" in result.stderr

    def test_a_variable_without_a_value_is_no_variable(self, command, ini):
        result = command("rotate-key", ini(), "--var", KEY)
        assert result.exit_code == 2
        assert "NAME=VALUE" in result.stderr
        assert KEY not in result.stderr


@ON_SQLITE
def test_variables_reach_the_configuration(command, ini):
    file = Path(ini())
    file.write_text(file.read_text() + "session.cookie_max_age = %(age)s\n")
    result = command("rotate-key", str(file), "--var", "age=3600")
    assert "1 h 2 min" in result.stderr


@ON_SQLITE
def test_pyramid_sessions_runs_as_a_command_of_its_own(ini):
    command = Path(sys.executable).with_name("pyramid-sessions")
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [command, "rotate-key", ini()], capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("session.secret_key =\n")
    assert "Traceback" not in done.stderr
