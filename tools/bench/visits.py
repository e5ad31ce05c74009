"""What visits cost in 0.2.0 and now, in statements and instructions: ``hatch run bench:visits``.

Forms, first writes, logins and logouts, on SQLite, by the model with every feature. 0.2.0 is installed from
its commit. Valgrind's callgrind counts the instructions of the worker, those of Pyramid, SQLAlchemy and
SQLite and the garbage collector included; unlike times they hardly depend on what else the machine does.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
COMMIT: Final = "ee98c00"
"""Where 0.2.0 is."""

MEMBERS: Final = ("core", "crypto", "sqla-models", "pyramid-glue", "meta")
SAME_VERSIONS: Final = ("pyramid", "pyramid-tm", "sqlalchemy", "transaction", "webob", "zope.sqlalchemy")
VISITS: Final = {
    "a page with a form, by a robot or a new visitor": ("form",),
    "the same page again": ("form", "form"),
    "a visitor's first write": ("write",),
    "a visitor's first write after a form": ("form", "write"),
    "a visitor's page": ("write", "read", "read"),
    "a visitor's next write": ("write", "read", "write"),
    "a visitor logs in": ("write", "form", "login"),
    "a user's page": ("login", "read", "read"),
    "a user's first page with a form": ("login", "read", "form"),
    "a user's next page with a form": ("login", "read", "form", "form"),
    "a user's write": ("login", "read", "write"),
    "the same user logs in again": ("login", "read", "login"),
    "another user logs in": ("login", "read", "switch"),
    "a user logs out": ("login", "read", "logout"),
}
"""What a browser asks for, from no cookie on; the last request is measured."""

WARM_UP: Final = 5
COUNTED: Final = 20


def serve() -> None:
    """Be a worker of whatever version is installed; orders come by standard input, an answer is a line."""
    from contenders.database import make_engine  # noqa: PLC0415 - the commander's environment needs none of it
    from contenders.pyramid_app import make_app  # noqa: PLC0415
    from pyramid.interfaces import ISessionFactory  # noqa: PLC0415
    from pyramid_sqlalchemy_sessions import FullyFeaturedSession, generate_secret_key  # noqa: PLC0415
    from sqlalchemy import event  # noqa: PLC0415
    from sqlalchemy.orm import DeclarativeBase, sessionmaker  # noqa: PLC0415
    from worker import Client  # noqa: PLC0415

    class Base(DeclarativeBase):
        pass

    class Full(FullyFeaturedSession, Base):
        __tablename__ = "session"

    def write(request: Any) -> str:
        request.session["n"] = request.session.get("n", 0) + 1
        return ""

    def view(do: Any) -> Any:
        return lambda request: str(do(request.session))

    engine = make_engine(sys.argv[2])
    Base.metadata.create_all(engine)
    app = make_app(
        {
            "form": view(lambda session: session.get_csrf_token()),
            "read": view(lambda session: session.get("n")),
            "write": write,
            "login": view(lambda session: session.login(1)),
            "switch": view(lambda session: session.login(2)),
            "logout": view(lambda session: session.invalidate()),
        },
        settings={
            "session.secret_key": generate_secret_key(),
            "session.model_class": Full,
            "session.idle_timeout": 3600,
            "session.absolute_timeout": 86400,
            "session.renewal_timeout": 600,
        },
        configure=lambda config: config.include("pyramid_sqlalchemy_sessions"),
        make_dbsession=sessionmaker(engine),
    )
    app.registry.getUtility(ISessionFactory).clock = lambda: 1_800_000_000  # nothing is due by chance
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _k, text, *_: statements.append(text.split()[0]))
    event.listen(engine, "commit", lambda _c: statements.append("COMMIT"))
    event.listen(engine, "rollback", lambda _c: statements.append("ROLLBACK"))
    ready: list[Client] = []
    for line in sys.stdin:
        order = json.loads(line)
        if "prepare" in order:
            ready = [Client(app) for _ in range(order["number"])]
            for client in ready:
                for kind in order["prepare"]:
                    client.get(kind)
        else:
            for client in ready:
                statements.clear()
                client.get(order["measure"], keep=True)
        print(json.dumps(statements), flush=True)


class Worker:
    """A worker under callgrind. A context manager: it ends on leaving.

    Args:
        python: Its interpreter.
        folder: Where its database and the counts can be.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder = folder
        under = [_program("valgrind"), "-q", "--tool=callgrind", "--instr-atstart=no"]
        under.append(f"--callgrind-out-file={folder / 'counts'}")
        self._process = subprocess.Popen(
            [*under, str(python), __file__, "--serve", f"sqlite:///{folder}/visits.sqlite"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "said.txt").open("w"),
            text=True,
            env={"PYTHONHASHSEED": "0", "PATH": str(python.parent)},
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def cost(self, *kinds: str) -> tuple[list[str], float]:
        """Return the statements and the instructions of the last request of a visit."""
        *before, last = kinds
        for number in (WARM_UP, COUNTED):
            self._ask(prepare=before, number=number)
            self._control("--instr=on")
            self._control("--zero")
            statements = self._ask(measure=last)
            self._control("--dump")
            self._control("--instr=off")
        total = 0
        for file in self._folder.glob("counts.*"):
            found = re.search(r"^(?:summary|totals): (\d+)", file.read_text("utf-8"), re.MULTILINE)
            total = max(total, int(found[1]) if found is not None else 0)
            file.unlink()
        return statements, total / COUNTED

    def _ask(self, **order: Any) -> list[str]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # both are pipes
        assert stdout is not None
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"the worker has ended: {(self._folder / 'said.txt').read_text('utf-8')}")
        answer: list[str] = json.loads(line)
        return answer

    def _control(self, order: str) -> None:
        command = [_program("callgrind_control"), order, str(self._process.pid)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed; Debian's package valgrind has it")
    return path


def install_0_2_0(folder: Path) -> Path:
    """Install 0.2.0 from its commit, beside the versions of others that are here; return its interpreter."""
    from importlib.metadata import version  # noqa: PLC0415 - as below

    sys.path.append(str(HERE.parent))
    from members import ROOT  # noqa: PLC0415 - the line above says where
    from wheels import Environment, run  # noqa: PLC0415

    archive, sources = folder / "sources.tar", folder / "sources"
    members = [f"packages/{member}" for member in MEMBERS]
    run("git", "archive", f"--output={archive}", COMMIT, *members, cwd=ROOT)
    with tarfile.open(archive) as tar:
        tar.extractall(sources, filter="data")
    environment = Environment.make(folder / "environment", [])
    same = [f"{name}=={version(name)}" for name in SAME_VERSIONS]
    environment.install(*(sources / member for member in members), *same, "setuptools<81")
    return environment.python


def main() -> None:
    """Count, and print or record."""
    import page  # noqa: PLC0415 - not in the workers' environments

    args = page.parser("visits", __doc__).parse_args()
    figures: dict[str, dict[str, Any]] = {visit: {} for visit in VISITS}
    with tempfile.TemporaryDirectory(prefix="websession-visits-") as name:
        folder = Path(name)
        for when, python in (("before", install_0_2_0(folder)), ("now", Path(sys.executable))):
            place = folder / when
            place.mkdir()
            with Worker(python, place) as worker:
                for visit, kinds in VISITS.items():
                    statements, instructions = worker.cost(*kinds)
                    figures[visit][when] = {"statements": statements, "instructions": instructions}
    page.publish("visits", {"visits": figures}, record=args.record)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve()
    else:
        main()
