"""The commands find the application wherever Pyramid's own scripts do, and where there is no ini file."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"])

FILTER = "[filter:prefix]\nuse = call:command_site:prefix_filter\n"
EXTRAS = {
    "filter-with": (FILTER, "", "filter-with = prefix\n"),
    "pipeline": ("[pipeline:main]\npipeline = prefix site\n" + FILTER, "", ""),
    "composite": ("[composite:main]\nuse = call:command_site:composite\nsite = site\n", "", ""),
    "section": (FILTER, "#site", ""),
}


@pytest.fixture(params=EXTRAS)
def wrapped(request, ini):
    """A configuration in which something stands around the application."""
    before, section, within = EXTRAS[request.param]
    file = Path(ini())
    text = file.read_text()
    if request.param != "filter-with":
        text = text.replace("[app:main]", "[app:site]")
    file.write_text(f"{before}\n{text}{within}")
    return f"{file}{section}"


@pytest.mark.parametrize("name", ["purge", "stats", "list", "doctor", "rotate-key"])
def test_what_stands_around_the_application_is_no_obstacle(command, wrapped, name):
    result = command(name, "--json", wrapped)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)


@pytest.mark.parametrize("name", ["base.ini", "%(here)s/base.ini"])
def test_settings_of_another_file_count(command, ini, tmp_path, name):
    base = Path(ini())
    base = base.rename(tmp_path / "base.ini")
    main = tmp_path / "main.ini"
    main.write_text(f"[app:main]\nuse = config:{name}\nset debug = x\ntm.annotate_user = false\n")
    assert command("stats", str(main)).exit_code == 0
    assert "base.ini" not in command("doctor", str(main)).stdout
    base.chmod(0o644)
    assert "chmod o-rwx base.ini" in command("doctor", str(main)).stdout.replace("\n       ", " ")


def test_a_main_that_needs_the_default_section_gets_it(command, ini):
    file = Path(ini())
    needs = "command_site.needs_global = secret_of_default\n"
    file.write_text(f"[DEFAULT]\nsecret_of_default = 1\n{file.read_text()}{needs}")
    assert command("stats", str(file)).exit_code == 0


@pytest.mark.parametrize("name", ["purge", "stats", "doctor", "rotate-key"])
def test_a_root_that_needs_a_real_request_is_no_obstacle(command, ini, name):
    uri = ini(command_site__include="command_site.root_of_a_real_request")
    result = command(name, "--json", uri)
    assert result.exit_code == 0, result.output


def test_an_application_that_ends_the_process_has_not_started(command, ini):
    result = command("purge", ini(command_site__include="command_site.exiting"))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "does not start: SystemExit: SHOP_SECRET is not set. pserve " in result.stderr


def test_a_file_that_cannot_be_read_is_no_fault_of_the_application(command, ini, tmp_path):
    (tmp_path / "bytes.ini").write_bytes(Path(ini()).read_bytes() + b"\xff\xfe")
    (tmp_path / "folder.ini").mkdir()
    for name, problem in (("bytes.ini", "not UTF-8"), ("folder.ini", "Is a directory")):
        result = command("stats", str(tmp_path / name))
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{name} is no configuration that can be read: {problem}. Give an ini file" in result.stderr
    if os.name == "posix" and os.geteuid():
        uri = ini()
        Path(uri).chmod(0)
        assert "Permission denied. Run this as a user who may." in command("stats", uri).stderr


class TestWithoutAnIniFile:
    @pytest.fixture
    def module(self, tmp_path, monkeypatch, ini, request):
        """Write a module into the working directory, as an application without an ini file has it."""
        name = f"single_{tmp_path.name.replace('-', '_')}"
        settings = dict(
            line.split(" = ", 1) for line in Path(ini()).read_text().splitlines() if " = " in line
        )
        settings.pop("use")
        source = f"""
            import command_site

            SETTINGS = {settings!r}

            def main(global_config, **settings):
                return command_site.main(global_config, **{{**SETTINGS, **settings}})

            def make():
                return main({{}})

            def wsgi(environ, start_response):
                return app(environ, start_response)

            def with_defaults(global_config=None, **settings):
                return main(global_config, **settings)

            def breaks():
                raise RuntimeError("out of order")

            app = make()
        """
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [*sys.path])
        yield name
        sys.modules.pop(name, None)

    @pytest.mark.parametrize("callable_", ["app", "make", "main", "wsgi"])
    def test_the_application_is_named_itself(self, command, module, callable_):
        for arguments in (["--app", f"{module}:{callable_}"], [f"--app={module}:{callable_}"]):
            assert command("stats", *arguments).exit_code == 0
            assert command("show", "abcd", *arguments).exit_code == 1

    @pytest.mark.parametrize("callable_", ["main", "with_defaults"])
    def test_a_variable_reaches_what_makes_it(self, command, module, callable_):
        var = "--var", "session.idle_timeout=soon"
        result = command("stats", "--app", f"{module}:{callable_}", *var)
        assert result.exit_code == 3
        assert "session.idle_timeout = 'soon'" in result.stderr

    @pytest.mark.parametrize(
        "line", ["None.nothing", "int('x')", "import nothing_at_all", "from os import nothing", "exit('no')"]
    )
    def test_a_module_that_fails_is_there(self, command, module, tmp_path, line):
        (tmp_path / f"failing_{module}.py").write_text(f"{line}\n")
        result = command("stats", "--app", f"failing_{module}:app")
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"The application of failing_{module}:app does not start: " in result.stderr
        assert "pserve" not in result.stderr

    @pytest.mark.parametrize(
        ("name", "status", "words"),
        [
            ("nowhere_at_all:app", 2, "There is no nowhere_at_all:app"),
            ("{}:nothing", 2, "Give --app module:name"),
            ("{}:breaks", 3, "does not start: RuntimeError"),
            ("{}:SETTINGS", 3, "dict is no application"),
            ("{}", 2, "Give --app module:name"),
            ("{}:", 2, "Give --app module:name"),
            (".{}:app", 2, "Give --app module:name"),
        ],
    )
    def test_what_is_not_there_is_said(self, command, module, name, status, words):
        result = command("stats", "--app", name.format(module))
        assert (result.exit_code, result.stdout) == (status, "")
        assert words in result.stderr
