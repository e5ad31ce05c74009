"""URLs with a password in them, shown without it."""

import re


class DatabaseURL(str):
    """An SQLAlchemy URL as text; its `repr`, which test reports print, has `***` for the password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(re.sub(r"(?<=://)([^:/@]*):.*@", r"\1:***@", self))
