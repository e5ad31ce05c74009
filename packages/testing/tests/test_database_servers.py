"""`hatch run mysql:get` brings a MySQL server, `mariadb:get` a newer MariaDB, or they say what else helps."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from database_servers import KEYS, MYSQL, UnavailableError, get
from pytest_websession.servers import MySQLServer
from wheels import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can enter, as a checkout's is."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


def put_a_server(folder: Path) -> None:
    program = folder / "mysqld"
    program.write_text("#!/bin/sh\necho a server, given $*\n")
    program.chmod(0o755)


def test_without_apt_it_says_how_to_name_a_server(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"install MySQL, or name the `mysqld` .* WEBSESSION_MYSQLD"):
        get(MYSQL, tmp_path / "mysql")


def test_a_server_that_is_there_stays(open_folder) -> None:
    put_a_server(open_folder)
    assert get(MYSQL, open_folder) == "a server, given --no-defaults --version"


def test_a_server_that_cannot_be_run_is_told(open_folder) -> None:
    put_a_server(open_folder)
    (open_folder / "mysqld").write_text("#!/bin/sh\necho no such library >&2; exit 127\n")
    with pytest.raises(UnavailableError, match=r"does not run \(no such library\)"):
        get(MYSQL, open_folder)


@pytest.mark.skipif(not (MYSQL.folder / "data").is_dir(), reason="needs what `hatch run mysql:get` brings")
def test_servers_whose_data_directories_are_copies_share_no_name_and_no_key() -> None:
    with MySQLServer(binaries=MYSQL.folder) as one, MySQLServer(binaries=MYSQL.folder) as other:
        copies = [server.directory / "data" for server in (one, other)]
        own = [(copy / name).read_text() for copy in copies for name in ("auto.cnf", "private_key.pem")]
    assert len(set(own)) == len(own) == 4


@pytest.mark.skipif(
    shutil.which("apt-get") is None or not KEYS.exists(), reason="needs apt and Debian's keys"
)
def test_what_debian_has_not_signed_is_refused_and_nothing_stays(tmp_path) -> None:
    release = tmp_path / "debian" / "dists" / "sid" / "Release"
    release.parent.mkdir(parents=True)
    release.write_text("Suite: unstable\nCodename: sid\nComponents: main\n")
    with pytest.raises(CommandError, match="is not signed"):
        get(MYSQL, tmp_path / "mysql", f"file:{tmp_path / 'debian'}")
    assert [path.name for path in tmp_path.iterdir()] == ["debian"]
