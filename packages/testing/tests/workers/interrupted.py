"""Interrupt a request by `gevent.Timeout` in its bookkeeping, and say in JSON what came of it.

Run as a program, with a database's URL, since gevent replaces what the whole process works with.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - after what is patched
import sys  # noqa: E402

import gevent  # noqa: E402
import webtest  # noqa: E402
from counting_app import Base, make_application, make_engine  # noqa: E402
from pytest_websession.clock import ManualClock  # noqa: E402
from sqlalchemy import event  # noqa: E402
from websession_crypto import generate_secret_key  # noqa: E402

engine = make_engine(sys.argv[1])
Base.metadata.create_all(engine)
application = make_application(engine, generate_secret_key())
clock = ManualClock(1_800_000_000)
clock.govern(application)
browser = webtest.TestApp(application, extra_environ={"HTTP_HOST": "localhost:80"})
browser.get("/count")
clock.advance(600)  # to record the activity is due
is_slow = True
timeout = gevent.Timeout(0.1)


@event.listens_for(engine, "before_cursor_execute")
def wait(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
    """Let the database be slow where activity is recorded, and the timeout come there."""
    if is_slow and statement.startswith("UPDATE session_activity"):
        # Not before: on a slow machine it would come in the application's transaction.
        timeout.start()
        gevent.sleep(60)


interrupted = False
try:
    browser.get("/count")
except gevent.Timeout as error:
    interrupted = error is timeout
finally:
    timeout.close()
out = engine.pool.checkedout()  # type: ignore[attr-defined]
is_slow = False
answer = browser.get("/count").json_body
engine.dispose()
print(json.dumps({"interrupted": interrupted, "out": out, "n": answer["n"]}))  # noqa: T201 - its interface
