"""Where the project is on the web: the one place that says it.

**The owner sets both names below** before the first release. Until then they are those that the release of
2017 had. `hatch run release:addresses` then writes them wherever else they are needed: into `[project.urls]`
of each distribution, and into the errors, which name the documentation.
"""

from __future__ import annotations

import re

from members import ROOT, Member, members

DOCUMENTATION = "https://pyramid-sqlalchemy-sessions.readthedocs.io/en/latest/"
REPOSITORY = "https://github.com/corehack/pyramid_sqlalchemy_sessions"

ERRORS = ROOT / "packages" / "core" / "src" / "websession_core" / "errors.py"

ADDRESSES = {
    "Documentation": DOCUMENTATION,
    "Source": REPOSITORY,
    "Changelog": f"{DOCUMENTATION}reference/changelog/",
    "Issues": f"{REPOSITORY}/issues",
}
"""What the pages on PyPI link to. PyPI knows these names and gives each a sign."""


def with_urls(member: Member) -> str:
    """Return a member's pyproject.toml with the addresses of now."""
    text = (member.folder / "pyproject.toml").read_text("utf-8")
    table = "".join(f'{name} = "{address}"\n' for name, address in ADDRESSES.items())
    without = re.sub(r"\[project\.urls\]\n(?:\w+ = .*\n)+\n", "", text)
    before, mark, after = without.partition("[tool.hatch.version]\n")
    return f"{before}[project.urls]\n{table}\n{mark}{after}"


def with_documentation() -> str:
    """Return the module of core that names the documentation, with the address of now."""
    text = ERRORS.read_text("utf-8")
    return re.sub(r'(?m)^(DOCUMENTATION: Final = )"[^"]*"$', rf'\g<1>"{DOCUMENTATION}"', text)


def main() -> None:
    """Rewrite what needs it, and name it."""
    contents = {member.folder / "pyproject.toml": with_urls(member) for member in members()}
    contents[ERRORS] = with_documentation()
    for path, text in contents.items():
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8")
            print(f"{path.relative_to(ROOT)}: addresses written")


if __name__ == "__main__":
    main()
