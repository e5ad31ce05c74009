"""What people call a browser, and how they say when."""

from __future__ import annotations

# The first that is found counts: Chrome calls itself Safari as well, and everything calls itself Mozilla.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "HeadlessChrome/": "Chrome",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "Mac",
    "CrOS": "Chromebook",
    "Linux": "Linux",
}


def describe(user_agent: str | None) -> str:
    """A browser as its owner would call it: "Firefox on Android"."""
    text = user_agent or ""
    browser = next((name for mark, name in BROWSERS.items() if mark in text), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in text), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "A browser that does not say what it is"


def ago(seconds: int) -> str:
    """How long ago something was, as people say it."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = seconds // length
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"
