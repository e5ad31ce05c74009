"""Every line of the documentation's table of failures, seen: what is wrong, the command, the message, the status."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import command_site
import pytest
from failure_table import TABLE
from site_under_test import FullSession
from websession_models import SessionRow, Store

# Servers are needed for them: `test_command_failures.py`.
ON_SERVERS = {
    "the account may not write",
    "user or password are wrong",
    "the database does not exist",
}

USUAL = {
    "show": ("show", "{}", "abcd"),
    "revoke": ("revoke", "{}", "--all", "--yes"),
}
TEXTS = {"session__model_class": "site_under_test.Session"}


def alike(ini):
    """Store two sessions that begin alike."""
    uri = ini()
    for number in (1, 2):
        row = SessionRow(
            uuid.UUID(int=0xABCD << 112 | number), int(time.time()), version=1, epoch=0, data="{}", flash="{}"
        )
        application(uri)
        with command_site.engines[-1].begin() as connection:
            Store.for_model(FullSession).insert(connection, row)
    return uri


def application(uri):
    """Start the application once, which makes the tables."""
    from websession_pyramid.command.application import open_application

    with open_application(uri, "session", {}):
        pass


def without_tables(ini):
    return ini(command_site__tables="false", session__model_class="site_under_test.SealedSession", **SEALED)


SEALED = {"session__data_secret_key": "Y0tcJkQXZyQ0Um4yZ0FhT2JxN2ZqU3p4d0RtVnRIcGs"}


def garbled(ini):
    Path(ini()).write_text("what = this\n[is?\n")
    return ini().replace("site.ini", "garbled.ini") if False else _garbled(ini)


def _garbled(ini):
    file = Path(ini())
    file.write_text("what = this\n[is?\n")
    return str(file)


def elsewhere(url):
    return lambda ini: ini(
        command_site__tables="false",
        session__model_class="site_under_test.SealedSession",
        sqlalchemy__url=url,
        **SEALED,
    )


SITUATIONS = {
    "there is no such file": lambda _ini: "nowhere.ini",
    "the file is no ini file": _garbled,
    "there is no such section": lambda ini: f"{ini()}#nowhere",
    "a setting is wrong": lambda ini: ini(session__idle_timeout="soon"),
    "the application's own code fails": lambda ini: ini(command_site__raise="out of order"),
    "the library is not included": lambda ini: ini(command_site__sessions="false"),
    "the URL is none": lambda ini: ini(sqlalchemy__url="postgresql//nothing"),
    "there is no `request.dbsession`": lambda ini: ini(
        command_site__dbsession="false", session__model_class="site_under_test.SealedSession", **SEALED
    ),
    "a table is missing": without_tables,
    "the database's file cannot be opened": elsewhere("sqlite:////no/such/folder/site.db"),
    "the server does not answer": elsewhere("postgresql+psycopg://nobody:nothing@127.0.0.1:1/none"),
    "no session of the application has this name": (lambda ini: ini(), "--session", "other"),
    "no identifier begins so": lambda ini: ini(),
    "several identifiers begin so": alike,
    "it is no userid": (lambda ini: ini(), "--user", "x"),
    "the model knows no users": (lambda ini: ini(**TEXTS), "--user", "7"),
    "the model has no deadlines": lambda ini: ini(**TEXTS),
    "the model does not encrypt": lambda ini: ini(),
    "it is no duration": (lambda ini: ini(), "--unused-for", "soon"),
}


def test_each_line_of_the_table_is_tested():
    assert TABLE.keys() == SITUATIONS.keys() | ON_SERVERS


@pytest.mark.parametrize("websession_engine_name", ["sqlite"])
@pytest.mark.parametrize("wrong", SITUATIONS)
def test_it_is_as_the_table_says(command, ini, wrong):
    arrange, *options = SITUATIONS[wrong] if isinstance(SITUATIONS[wrong], tuple) else (SITUATIONS[wrong],)
    uri = arrange(ini)
    failure = TABLE[wrong]
    for name in failure.commands:
        arguments = [name, uri]
        if name == "show" or (name == "revoke" and "identifier" in wrong):
            arguments.append("abcd")
        elif name == "revoke" and not {"--user", "--unused-for"} & {*options}:
            arguments.append("--all")
        result = command(*arguments, *options)
        assert result.exit_code == failure.status, (name, result.output)
        assert result.stdout == ""
        last = result.stderr.splitlines(keepends=True)[-1]
        print(f"ROW|{wrong}|{name}|{result.exit_code}|{last!r}")
        assert failure.message.fullmatch(last), last
