"""Every line of the documentation's table of failures is seen: command, message and exit status."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import command_site
import pytest
from failure_table import TABLE
from site_under_test import FullSession
from websession_crypto import generate_secret_key
from websession_models import SessionRow, Store

# Those that need a server are in `test_command_failures.py`.
ON_SERVERS = {"the account may not write", "user or password are wrong", "the database does not exist"}

# A model for which every command has something to do.
SEALED = {
    "session__model_class": "site_under_test.SealedSession",
    "session__data_secret_key": generate_secret_key(),
}
PLAIN = {"session__model_class": "site_under_test.Session"}
ON_NO_DATABASE = {**SEALED, "command_site__tables": "false"}


def no_ini_file(ini, _command):
    file = Path(ini())
    file.write_text("what = this\n")
    return str(file)


def two_that_begin_alike(ini, command):
    uri = ini()
    assert command("stats", uri).exit_code == 0
    with command_site.engines[-1].begin() as connection:
        for number in (1, 2):
            session_id = uuid.UUID(int=0xABCD << 112 | number)
            row = SessionRow(session_id, int(time.time()), version=1, epoch=0, data="{}", flash="{}")
            Store.for_model(FullSession).insert(connection, row)
    return uri


def with_settings(**settings):
    return lambda ini, _command: ini(**settings)


SITUATIONS = {
    "there is no such file": lambda *_: "nowhere.ini",
    "the file is no ini file": no_ini_file,
    "there is no such section": lambda ini, _command: f"{ini()}#nowhere",
    "no session of the application has this name": with_settings(),
    "a setting is wrong": with_settings(session__idle_timeout="soon"),
    "the application's own code fails": with_settings(command_site__raise="out of order"),
    "the library is not included": with_settings(command_site__sessions="false"),
    "the URL is none": with_settings(sqlalchemy__url="postgresql//user:secret@nothing"),
    "there is no `request.dbsession`": with_settings(**SEALED, command_site__dbsession="false"),
    "the server does not answer": with_settings(
        **ON_NO_DATABASE, sqlalchemy__url="postgresql+psycopg://nobody:nothing@127.0.0.1:1/none"
    ),
    "the database's file cannot be opened": with_settings(
        **ON_NO_DATABASE, sqlalchemy__url="sqlite:////no/such/folder/site.db"
    ),
    "a table is missing": with_settings(**ON_NO_DATABASE),
    "no identifier begins so": with_settings(),
    "several identifiers begin so": two_that_begin_alike,
    "it is no userid": with_settings(),
    "it is no duration": with_settings(),
    "the model knows no users": with_settings(**PLAIN),
    "the model has no deadlines": with_settings(**PLAIN),
    "the model does not encrypt": with_settings(),
}
OPTIONS = {
    "no session of the application has this name": ["--session", "other"],
    "it is no userid": ["--user", "x"],
    "it is no duration": ["--unused-for", "soon"],
    "the model knows no users": ["--user", "7"],
}


CRITERIA = {"--user", "--unused-for"}


def test_each_line_of_the_table_is_tested():
    assert TABLE.keys() == SITUATIONS.keys() | ON_SERVERS


@pytest.mark.parametrize("websession_engine_name", ["sqlite"])
@pytest.mark.parametrize("wrong", SITUATIONS)
def test_a_failure_is_told_as_the_table_says(command, ini, wrong):
    uri, options = SITUATIONS[wrong](ini, command), OPTIONS.get(wrong, [])
    assert TABLE[wrong].commands
    for name in TABLE[wrong].commands:
        session = ["abcd"] if name == "show" or (name == "revoke" and "identifier" in wrong) else []
        which = ["--all"] if name == "revoke" and not session and not CRITERIA & {*options} else []
        result = command(name, uri, *session, *which, *options)
        assert TABLE[wrong].is_told_by(result), f"{name}: {result.exit_code}, {result.stderr}"
