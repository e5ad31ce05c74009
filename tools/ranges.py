"""Let the checkout follow a member's new version.

`hatch run release:ranges`, after `hatch version` in one of them, raises the ranges in which members ask for
each other to the series that they have now, and brings the page on compatibility up to date.
"""

from __future__ import annotations

import re
import runpy

from members import ROOT, Member, members


def raise_ranges(member: Member, versions: dict[str, tuple[int, int]]) -> str:
    """Return a member's pyproject.toml with the ranges of its siblings as their `versions` want them."""
    text = (member.folder / "pyproject.toml").read_text("utf-8")
    for name, (major, minor) in versions.items():
        range_ = rf"\g<1>>={major}.{minor},<{major}.{minor + 1}"
        text = re.sub(rf'("{re.escape(name)}(?:\[[\w,]+\])?)>=[\d.]+,<[\d.]+(?=")', range_, text)
    return text


def main() -> None:
    """Rewrite what needs it, and name it."""
    versions = {member.name: (member.version.major, member.version.minor) for member in members()}
    for member in members():
        path = member.folder / "pyproject.toml"
        text = raise_ranges(member, versions)
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8")
            print(f"{member.place}/pyproject.toml: ranges raised")
    runpy.run_path(str(ROOT / "docs" / "tools" / "list_compatibility.py"), run_name="__main__")


if __name__ == "__main__":
    main()
