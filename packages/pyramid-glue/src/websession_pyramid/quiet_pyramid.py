"""Pyramid, imported without a warning that only its authors can do anything about.

Pyramid 2 imports `pkg_resources`, and setuptools from 80.9 on warns of that. This package comes before
Pyramid in `pyramid-sessions` alone, whose output cron mails; an application has imported Pyramid, and heard
of it, by then.
"""

from __future__ import annotations

import warnings

__all__: list[str] = []

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
    import pyramid.path  # noqa: F401
