"""What commands print: for a terminal of any width, without what it would obey, and for programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import command_site
import pytest
from click.testing import CliRunner
from site_under_test import TextSession
from websession_core.state import Activity
from websession_models import SessionRow, Store, fresh_session_id
from websession_pyramid.command import main

ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "docs" / "reference" / "command-line.schema.json"
HOSTILE = "bob\n0badc0de  admin\x1b]0;owned\x07\u202eevil\u2028"


@pytest.fixture
def config(command, ini, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    uri = ini(session__model_class="site_under_test.TextSession", session__idle_timeout="30min")
    assert command("stats", uri).exit_code == 0
    add("ada", unused=60)
    add(HOSTILE)
    add(None, unused=7200)
    return uri


def add(userid, *, unused=0):
    now = int(time.time())
    row = SessionRow(
        fresh_session_id(),
        created=now - 90_000,
        version=1,
        epoch=0,
        data="{}",
        flash="{}",
        userid=userid,
        knows_users=True,
        user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        client_address="192.0.2.0",
        activity=Activity(active_at=now - unused, expires_at=now - unused + 1800),
    )
    with command_site.engines[-1].begin() as connection:
        Store.for_model(TextSession).insert(connection, row)


def names(command, config, *options):
    return [
        line["session"] for line in json.loads(command("list", "--json", *options, config).stdout)["sessions"]
    ]


@ON_SQLITE
def test_nothing_is_printed_that_a_terminal_would_obey(command, config):
    listed = command("list", config).stdout
    assert len(listed.splitlines()) == 4
    shown = [command("show", config, name).stdout for name in names(command, config)]
    for text in (listed, *shown):
        assert all(character.isprintable() or character == "\n" for character in text)
    assert r"bob\n0badc0de  admin\x1b]0;owned\x07\u202eevil\u2028" in listed
    refused = command("list", "--user", "x\x1b[2J", config)
    assert "\x1b" not in refused.output


@ON_SQLITE
@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_everything_fits_the_terminal(command, config, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for arguments in (("list",), ("stats",), ("doctor",)):
        result = command(*arguments, config)
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= int(columns), result.stdout
    assert len(command("list", config).stdout.splitlines()) == 4
    for name in names(command, config):
        assert max(map(len, command("show", config, name).stdout.splitlines())) <= int(columns)


MOUNTAIN, ACCENT, FACE = "\N{CJK UNIFIED IDEOGRAPH-5C71}", "\N{COMBINING ACUTE ACCENT}", "\N{GRINNING FACE}"
COLUMNS = {MOUNTAIN: 2, FACE: 2, ACCENT: 0}


@ON_SQLITE
@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (MOUNTAIN, f"user                 {MOUNTAIN}\n"),
        (FACE, f"user                 {FACE}\n"),
        (f"e{ACCENT}", f"user                 e{ACCENT}\n"),
        (MOUNTAIN * 30, f"user\n  {MOUNTAIN * 19}\n  {MOUNTAIN * 11}\n"),
        (f"e{ACCENT}" * 39, f"user\n  {f'e{ACCENT}' * 38}\n  e{ACCENT}\n"),
    ],
)
def test_letters_of_two_columns_and_of_none_fit_it_too(command, config, monkeypatch, user, shown):
    monkeypatch.setenv("COLUMNS", "40")
    add(user)
    heading, line = command("list", "--user", user, config).stdout.splitlines()
    row = re.fullmatch(r"\w{8}  (\S+) *  \d+ s +\d\d min.*", line)
    assert row is not None, line
    assert row[1] == user or user.startswith(row[1].removesuffix("…"))
    # The times stand below their heading, whatever is before them.
    before = line[: re.search(r"\d+ s", line).start()]
    assert sum(COLUMNS.get(character, 1) for character in before) == heading.index("unused for")
    assert sum(COLUMNS.get(character, 1) for character in line) <= 40
    (name,) = names(command, config, "--user", user)
    assert shown in command("show", config, name).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_options_and_files(monkeypatch, shell):
    def completions(words, last):
        monkeypatch.setenv("_PYRAMID_SESSIONS_COMPLETE", f"{shell}_complete")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", last if shell == "fish" else str(len(words.split()) - 1))
        return CliRunner().invoke(main, [], prog_name="pyramid-sessions").output

    assert "stats" in completions("pyramid-sessions sta", "sta")
    assert "--fail-on" in completions("pyramid-sessions doctor --fa", "--fa")
    assert completions("pyramid-sessions doctor pro", "pro").startswith("file")


@ON_SQLITE
def test_browser_and_address_tell_which_is_which(command, config):
    heading, first, *_ = command("list", "--user", "ada", config).stdout.splitlines()
    assert re.split(r" {2,}", heading) == [
        "session",
        "user",
        "unused for",
        "ends in",
        "browser",
        "address",
        "age",
        "data",
    ]
    assert "Firefox/140.0" in first
    assert "192.0.2.0" in first
    (line,) = json.loads(command("list", "--json", "--user", "ada", config).stdout)["sessions"]
    assert line["address"] == "192.0.2.0"
    assert "Firefox" in command("show", config, line["session"]).stdout


@ON_SQLITE
def test_the_living_are_told_from_the_dead(command, config):
    living, dead = names(command, config, "--active"), names(command, config, "--expired")
    assert (len(living), len(dead)) == (2, 1)
    assert set(living + dead) == set(names(command, config))
    assert command("list", "--active", "--expired", config).exit_code == 2
    assert command("revoke", "--expired", config).stdout == "1 session ended.\n"
    assert names(command, config) == living


@ON_SQLITE
def test_programs_get_what_the_schema_says(command, config):
    definitions = json.loads(SCHEMA.read_text())["$defs"]
    first = names(command, config)[0]
    for arguments in (("list", config), ("stats", config), ("show", config, first)):
        name, *rest = arguments
        found = json.loads(command(name, "--json", *rest).stdout)
        follows(definitions[name], found)
        assert found["format_version"] == 1


def follows(schema, value):
    """Check a value by the part of JSON Schema that ours uses."""
    kinds = {
        "integer": int,
        "string": str,
        "null": type(None),
        "object": dict,
        "array": list,
        "boolean": bool,
    }
    if "const" in schema:
        assert value == schema["const"]
    if "type" in schema:
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        assert type(value) in [kinds[name] for name in types], (schema, value)
    if isinstance(value, dict) and "properties" in schema:
        assert sorted(value) == sorted(schema["required"]) == sorted(schema["properties"])
        for name, part in value.items():
            follows(schema["properties"][name], part)
    if isinstance(value, list):
        for part in value:
            follows(schema["items"], part)


@ON_SQLITE
def test_prometheus_gets_gauges(command, config):
    result = command("stats", "--format", "prometheus", config)
    lines = result.stdout.splitlines()
    assert result.stdout.endswith("\n")
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert samples['web_sessions_active{session="session"}'] == "2"
    assert samples['web_sessions_expired{session="session"}'] == "1"
    assert samples['web_sessions_last_used{session="session",lt="60"}'] == "1"
    assert samples['web_sessions_last_used{session="session",lt="+Inf"}'] == "2"
    shape = re.compile(r'(web_sessions_[a-z_]+)\{session="session"(,l[et]="[0-9+Inf]+")?\} [0-9]+')
    kinds = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    for line in lines:
        if not line.startswith("#"):
            assert kinds[shape.fullmatch(line)[1]] == "gauge"
    assert json.loads(command("stats", "--format", "json", config).stdout)["active"] == 2
    assert command("stats", "--json", "--format", "prometheus", config).exit_code == 2


@ON_SQLITE
def test_prometheus_own_parser_takes_it(command, config):
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    text = command("stats", "--format", "prometheus", config).stdout
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    assert {family.type for family in families.values()} == {"gauge"}
    assert all(family.documentation and family.samples for family in families.values())
    (active,) = families["web_sessions_active"].samples
    assert (active.labels, active.value) == ({"session": "session"}, 2)
    assert [sample.labels["lt"] for sample in families["web_sessions_last_used"].samples][-1] == "+Inf"


def test_every_help_has_an_example_that_the_command_takes():
    for name in main.commands:
        text = CliRunner().invoke(main, [name, "--help"], prog_name="pyramid-sessions").output
        example = text.partition("Example:\n")[2].strip()
        assert example.startswith(f"pyramid-sessions {name}"), text
        arguments = example.partition(" > ")[0].partition(" >> ")[0].split()[2:]
        main.commands[name].make_context(name, arguments)


def test_the_version_names_all_that_takes_part():
    told = CliRunner().invoke(main, ["--version"]).output
    for name in (
        "pyramid-sqlalchemy-sessions",
        "websession-core",
        "websession-crypto",
        "websession-models",
        "websession-pyramid",
    ):
        assert f"{name} {metadata.version(name)}" in told
    for name in ("Pyramid", "SQLAlchemy"):
        assert f"{name} {metadata.version(name.lower())}" in told
    assert f"Python {sys.version.split()[0]}" in told


@ON_SQLITE
@pytest.mark.skipif(os.name != "posix", reason="signals and pipes are POSIX's")
@pytest.mark.parametrize("name", ["doctor", "list", "stats"])
def test_a_reader_that_goes_away_is_no_failure_of_the_database(config, name):
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    reader, writer = os.pipe()
    os.close(reader)

    def run(output, **more):
        command = [sys.executable, "-c", "from websession_pyramid.command import run; run()", name, config]
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(
            command, stdout=output, stderr=subprocess.PIPE, text=True, check=False, env=environment, **more
        )
        return done.returncode, done.stderr

    assert run(writer) == (141, "")
    os.close(writer)
    if name == "doctor":
        with Path("/dev/full").open("w") as full:
            status, told = run(full)
        assert (status, told.count("\n")) == (5, 1)
        assert told.startswith("Error: The output could not be written: No space left on device. ")
        assert run(None, preexec_fn=lambda: os.close(1)) == (0, "")


def as_a_script(*arguments, **more):
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    code = "from websession_pyramid.command import run; run()"
    environment = {**os.environ, "PYTHONPATH": path, **more.pop("env", {})}
    return subprocess.run([sys.executable, "-c", code, *arguments], check=False, env=environment, **more)


@pytest.mark.skipif(os.name != "posix", reason="signals and pipes are POSIX's")
@pytest.mark.parametrize(
    "arguments", [["--version"], ["list", "--help"], ["list", "nowhere.ini"], ["nothing"]]
)
def test_neither_help_nor_an_error_needs_a_reader(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    assert as_a_script(*arguments, stdout=writer, stderr=writer).returncode == 141
    os.close(writer)
    with Path("/dev/full").open("w") as full:
        assert as_a_script(*arguments, stdout=full, stderr=full).returncode == 5


@ON_SQLITE
def test_a_letter_that_the_output_cannot_show_is_written_by_its_number(config):
    add(FACE)
    add("\xe9")
    done = as_a_script("list", config, capture_output=True, env={"PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert {r"\U0001f600", "\xe9"} <= set(done.stdout.decode("latin-1").split())


@ON_SQLITE
def test_an_interrupted_command_says_so(command, ini):
    result = command("purge", ini(command_site__include="command_site.interrupted"))
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "Error: Interrupted. What was done by then stays done.\n"


# Of setuptools, since 80.9; the versions of the tests' environments are older.
WARNING = """
import sys, warnings
warnings.warn("pkg_resources is deprecated as an API. See its page.", UserWarning, stacklevel=2)
sys.path.remove({folder!r})
del sys.modules["pkg_resources"]
import pkg_resources  # the real one, which is what is imported
"""


@ON_SQLITE
@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("websession_pyramid.command import run", ["purge"]),
        ("websession_pyramid.command.purge import run_gc as run", []),
    ],
    ids=["pyramid-sessions", "pyramid_session_gc"],
)
def test_cron_mails_no_warning_of_other_peoples(ini, tmp_path, script, arguments):
    """Neither of Pyramid's import of pkg_resources, nor of what the application has imported."""
    folder = tmp_path / "with setuptools of today"
    folder.mkdir()
    (folder / "pkg_resources.py").write_text(WARNING.format(folder=str(folder)))
    uri = ini(session__idle_timeout="30min", command_site__include="command_site.warning_of_its_own")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    path = [str(folder), str(Path(__file__).parent), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))

    def run(*options):
        command = [sys.executable, *options, "-c", f"from {script}; run()", *arguments, uri]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0 sessions deleted")
    if arguments:
        # Whoever asks for them has them, so that the first half can fail.
        assert "of the application's own" in run("-W", "default").stderr
