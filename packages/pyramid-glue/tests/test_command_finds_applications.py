"""The commands find the application wherever Pyramid's own scripts do, and where there is no ini file."""

from __future__ import annotations

import json
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


def test_settings_of_another_file_count(command, ini, tmp_path):
    base = Path(ini())
    base = base.rename(tmp_path / "base.ini")
    main = tmp_path / "main.ini"
    main.write_text("[app:main]\nuse = config:base.ini\nset debug = x\ntm.annotate_user = false\n")
    assert command("stats", str(main)).exit_code == 0
    assert "base.ini" not in command("doctor", str(main)).stdout
    base.chmod(0o644)
    assert "chmod o-rwx base.ini" in command("doctor", str(main)).stdout.replace("\n       ", " ")


def test_a_main_that_needs_the_default_section_gets_it(command, ini):
    file = Path(ini())
    needs = "command_site.needs_global = secret_of_default\n"
    file.write_text(f"[DEFAULT]\nsecret_of_default = 1\n{file.read_text()}{needs}")
    assert command("stats", str(file)).exit_code == 0


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

    @pytest.mark.parametrize(
        ("name", "status", "words"),
        [
            ("nowhere_at_all:app", 2, "There is no nowhere_at_all:app"),
            ("{}:nothing", 2, "Give --app module:name"),
            ("{}:breaks", 3, "does not start: RuntimeError"),
            ("{}:SETTINGS", 3, "dict is no application"),
        ],
    )
    def test_what_is_not_there_is_said(self, command, module, name, status, words):
        result = command("stats", "--app", name.format(module))
        assert (result.exit_code, result.stdout) == (status, "")
        assert words in result.stderr
