"""`shop-demo` as a newcomer runs it: a process of its own, in an empty folder."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from threading import Timer
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pytest

COMMAND = Path(sysconfig.get_path("scripts")) / "shop-demo"
PATIENCE = 180


class Demo:
    """A running demo, and what it has printed so far."""

    def __init__(self, process):
        self.process = process
        self.greeting = ""
        while "Stop" not in self.greeting:
            line = process.stdout.readline()
            assert line, f"it ended early: {self.greeting}{process.stderr.read()}"
            self.greeting += line
        self.url = re.search(r"Open +(http://127\.0\.0\.1:\d+/)", self.greeting)[1]

    def stop(self, number=signal.SIGINT):
        """Ask it to end; its exit code and whatever else it printed."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out.strip(), err


@contextmanager
def demo(folder, *options, command=(COMMAND,)):
    with subprocess.Popen(
        [*command, "--dir", folder, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        # So that a demo that says nothing fails the test instead of hanging it.
        watchdog = Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            yield Demo(process)
        finally:
            watchdog.cancel()
            process.kill()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "not there yet"


@pytest.fixture
def port():
    """One that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def web():
    """A browser for real addresses, with cookies and without proxies."""
    return build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))


def read(web, address, **form):
    data = urlencode(form).encode() if form else None
    with web.open(address, data, timeout=PATIENCE) as answer:
        return answer.read().decode()


def test_it_says_where_it_is_answers_there_and_stops_quietly(folder, port, web):
    with demo(folder, "--port", port) as running:
        assert running.url == f"http://127.0.0.1:{port}/"
        assert "ada" in running.greeting
        assert "tea-at-four" in running.greeting
        assert "Ctrl-C" in running.greeting
        assert "Round teapot" in read(web, running.url)
        assert running.stop() == (0, "Stopped.", "")


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGTERM to catch")
def test_it_stops_as_quietly_when_terminated(folder, port):
    with demo(folder, "--port", port) as running:
        assert running.stop(signal.SIGTERM) == (0, "Stopped.", "")


def test_a_cart_survives_its_restart(folder, port, web):
    with demo(folder, "--port", port) as running:
        token = re.search(r'name="csrf_token" value="([^"]+)"', read(web, running.url))[1]
        page = read(web, running.url + "cart/add", csrf_token=token, slug="assam-tin")
        assert "Assam, second flush: 1 in your cart." in page
        running.stop()
    with demo(folder, "--port", port) as running:
        assert 'id="quantity-assam-tin"' in read(web, running.url + "cart")
        assert running.stop()[0] == 0


def test_a_port_that_is_taken_is_told_and_another_one_used(folder, web):
    with socket.create_server(("127.0.0.1", 0)) as neighbour:
        taken = neighbour.getsockname()[1]
        with demo(folder, "--port", str(taken)) as running:
            assert f"port {taken} is taken" in running.greeting
            assert running.url != f"http://127.0.0.1:{taken}/"
            assert "Round teapot" in read(web, running.url)
            running.stop()


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_the_key_is_for_its_owner_only_and_never_printed(folder, port):
    with demo(folder, "--port", port) as running:
        _code, out, err = running.stop()
        key_file = folder / "secret.key"
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert key_file.read_text().strip() not in running.greeting + out + err


@pytest.mark.skipif(os.name != "posix", reason="processes change their parents on POSIX only")
def test_it_ends_with_the_hatch_that_ran_it(folder, port, monkeypatch):
    runner = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    monkeypatch.setenv("HATCH_ENV_ACTIVE", "default")
    with demo(folder, "--port", port, command=(sys.executable, "-c", runner, COMMAND)) as running:
        # Killed, it cannot pass anything on. The pipe ends with the last process that holds it: the demo.
        assert running.stop(signal.SIGKILL)[1] == "Stopped."


def test_a_folder_that_cannot_be_made_is_one_plain_line(tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    result = subprocess.run(
        [COMMAND, "--dir", file], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("shop-demo: ")
    assert result.stderr.count("\n") == 1
