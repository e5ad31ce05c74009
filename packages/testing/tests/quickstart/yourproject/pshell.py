"""What `pshell development.ini` begins with."""

from . import models


def setup(env):
    """Begin a transaction, and name what is of use in it."""
    request = env["request"]
    request.tm.begin()
    env["tm"] = request.tm
    env["dbsession"] = request.dbsession
    env["models"] = models
