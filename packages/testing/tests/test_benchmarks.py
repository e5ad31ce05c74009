"""The benchmarks measure what they say, and the page shows what was measured."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BENCHMARKS = ROOT / "tools" / "bench"
PAGE = ROOT / "docs" / "explanation" / "performance.md"


def run(script, *arguments, given=""):
    """Run one of the benchmarks' scripts in this environment."""
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_page_shows_what_was_recorded():
    ended = run("page.py", "--check")
    assert ended.returncode == 0, ended.stderr


def test_the_page_says_when_and_on_what_machine_it_was_measured():
    sections = re.findall(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->", PAGE.read_text("utf-8"), re.DOTALL)
    assert "peers" in dict(sections)
    for name, text in sections:
        measured = r"^Measured on \d{4}-\d\d-\d\d \(.+, \d+ cores, \w+; Python 3"
        assert re.search(measured, text, re.MULTILINE), name


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("floor", {}),
        ("floor", {"core": True}),
        ("floor", {"cookie": True}),
        ("ours", {}),
        ("ours", {"full": True, "cold": True, "library": "openssl"}),
        ("ours", {"more": "client info"}),
        ("ours", {"more": "limit"}),
        ("ours", {"more": "encrypted"}),
        ("signed_cookie", None),
    ],
)
def test_a_contender_does_what_is_measured(tmp_path, module, options):
    # The worker itself compares what is read after a write, and says so where it is wrong.
    made = {} if options is None else {"url": f"sqlite:///{tmp_path / 'contender.sqlite'}", **options}
    orders = [
        {"module": module, "options": made, "warm_up": 1},
        *({"kind": kind, "number": 2} for kind in ("untouched", "read", "write", "new")),
    ]
    ended = run("worker.py", given="".join(json.dumps(order) + "\n" for order in orders))
    begun, *measured = map(json.loads, ended.stdout.splitlines())
    assert "pyramid" in begun["versions"]
    assert len(measured) == 4
    assert all(answer["seconds"] > 0 for answer in measured)


@pytest.fixture(scope="module")
def counted():
    """What one run of the budget's command says; each takes some seconds."""
    return run("budget.py")


def test_no_kind_of_request_takes_more_calls_than_the_budget_allows(counted):
    assert counted.returncode == 0, counted.stderr


def test_a_request_that_grows_by_more_than_5_percent_is_noticed(tmp_path, counted):
    recorded = (BENCHMARKS / "budget.toml").read_text("utf-8")
    lower = tmp_path / "budget.toml"

    def shrink(match):
        return f"own = {int(match[1]) * 10 // 11}"

    lower.write_text(re.sub(r"own = (\d+)", shrink, recorded), "utf-8")
    ended = run("budget.py", "--budget", str(lower))
    assert ended.returncode == 1
    assert "minimal read:" in ended.stderr
    assert "hatch run bench:budget --record" in ended.stderr
    assert ended.stdout == counted.stdout, "the counts differ from one run to the next"


def test_a_workers_memory_is_flat_and_every_cache_has_a_limit():
    # `hatch run bench:memory` makes a hundred times as many requests, of 100,000 sessions.
    ended = run("memory.py", "--requests", "10000", "--sessions", "300")
    assert ended.returncode == 0, ended.stderr
    assert "websession_pyramid.tickets." in ended.stdout, "it has found no cache"


def test_what_a_session_takes_is_measured_stored_and_open():
    ended = run("footprint.py", "--engines", "sqlite", "--sessions", "500")
    assert ended.returncode == 0, ended.stderr
    sizes = re.findall(r"^\|.*\| ([\d,]+) bytes \| ([\d,]+) bytes \|$", ended.stdout, re.MULTILINE)
    (floor, minimal, full) = ([int(size.replace(",", "")) for size in row] for row in sizes)
    assert 100 < minimal[0] < 250, "its payload has 100 bytes"
    assert minimal[0] + 60 < full[0] < 500, "the companion's row and index have at least so many"
    assert 0 < floor[1] < minimal[1] < 100_000


def test_the_throughput_says_which_program_is_missing(monkeypatch):
    monkeypatch.setenv("PATH", "")
    ended = run("throughput.py")
    assert ended.returncode == 1
    assert "package apache2-utils" in ended.stderr


REPORT = """\
Complete requests:      900
Failed requests:        {failed}
   (Connect: 0, Receive: 0, Length: 1, Exceptions: 0)
{more}Requests per second:    447.87 [#/sec] (mean)
"""


def test_a_report_of_ab_counts_only_without_a_wrong_answer(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import throughput

    assert throughput.rate(REPORT.format(failed=0, more=""), "here") == 447.87
    for wrong in ({"failed": 1, "more": ""}, {"failed": 0, "more": "Non-2xx responses:      3\n"}):
        with pytest.raises(throughput.WrongAnswerError, match=r"^here: .*: [13] of 900$"):
            throughput.rate(REPORT.format(**wrong), "here")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ab") is None, reason="ab is not installed (apt-get install apache2-utils)")
def test_servers_are_loaded_and_answer():
    few = ("--servers", "waitress, 8 threads", "gunicorn, 4 processes", "--rounds", "2", "--seconds", "1")
    ended = run("throughput.py", *few)
    assert ended.returncode == 0, ended.stderr
    for server in ("waitress, 8 threads", "gunicorn, 4 processes"):
        cells = r"( [\d,]+ \| [\d,]+ \| [\d.]+ \([\d.]+-[\d.]+\) \|){2}$"
        assert re.search(rf"^\| {server} \|{cells}", ended.stdout, re.MULTILINE), ended.stdout


def test_a_purge_is_measured_beside_workers_that_lose_nothing():
    few = ("--engines", "sqlite", "--rows", "2000", "--expired", "1500", "--workers", "2", "--alone", "0.2")
    ended = run("purging.py", *few)
    assert ended.returncode == 0, ended.stderr
    # A busy machine may run a transaction again; a request that failed has lost something.
    assert re.search(r"^\| SQLite \|.*\| \d+ \| 0 \|$", ended.stdout, re.MULTILINE), ended.stderr
    assert "SQLite: 1,500 in" in ended.stdout


@pytest.mark.slow
def test_what_an_operator_types_is_measured():
    ended = run("operating.py", "--engines", "sqlite", "--rows", "2000", "--expired", "1500")
    assert ended.returncode == 0, ended.stderr
    for words in ("list --user 1", "stats", "doctor", "purge"):
        assert re.search(rf"^\| `{words}` \|( [0-9.]+ s \|){{2}} [0-9]+ MiB \|$", ended.stdout, re.MULTILINE)


@pytest.mark.slow
def test_a_first_purge_is_measured_beside_later_ones():
    ended = run("deadlines.py", "--rows", "12000")
    assert ended.returncode == 0, ended.stderr
    for words in ("the first gives deadlines to", "and deletes", "a later one deletes 1,000"):
        assert f"| {words} |" in ended.stdout
    assert re.search(r"12,000 in [0-9.]+ s, 7 transactions", ended.stdout)
    assert ended.stdout.count("`ix_fully_featured_activity_expires_at` |") == 2
