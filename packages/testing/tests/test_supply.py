"""What the members bring along is explained, and what is said of it is true."""

from __future__ import annotations

import hashlib
import re

import pytest
from members import ROOT, Member, members
from supply import complete, verdict
from wheels import build

MEMBERS = members()
OURS = frozenset(member.name for member in MEMBERS)
PAGE = ROOT / "docs" / "explanation" / "dependencies.md"


def explained(name: str) -> list[tuple[str, str]]:
    """Return what the page explains of a distribution: names, each with the extra that it belongs to."""
    page = PAGE.read_text("utf-8")
    (section,) = re.findall(rf"^## `{name}`\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    return re.findall(r"^\| `(\S+)` \| (?:`(\S+)` )?\| \S.* \|$", section, re.MULTILINE)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.folder.name)
def test_every_dependency_of_others_has_its_reason(member: Member) -> None:
    extras = {"": member.requirements, **member.extras}
    needed = [
        (each.name, extra)
        for extra, requirements in extras.items()
        for each in requirements
        if each.name not in OURS
    ]
    assert sorted(explained(member.name)) == sorted(needed)


def test_a_bill_of_materials_names_the_wheel_and_no_folder_of_the_builder(tmp_path) -> None:
    (core,) = [member for member in MEMBERS if member.name == "websession-core"]
    distribution = build(core.folder, tmp_path)
    sibling = {
        "name": "websession-models",
        "version": "0.1.0",
        "externalReferences": [{"type": "distribution", "url": "file:///somewhere/websession_models.whl"}],
    }
    other = {"name": "SQLAlchemy", "version": "2.1.0", "externalReferences": [{"url": "https://example.com"}]}
    bom = {"metadata": {"component": {"name": "websession-core"}}, "components": [sibling, other]}

    done = complete(bom, distribution, OURS)

    digest = hashlib.sha256(distribution.wheel.read_bytes()).hexdigest()
    assert done["metadata"]["component"] == {
        "name": "websession-core",
        "version": str(core.version),
        "purl": f"pkg:pypi/websession-core@{core.version}",
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }
    assert done["components"] == [
        {"name": "websession-models", "version": "0.1.0", "purl": "pkg:pypi/websession-models@0.1.0"},
        other,
    ]


CLEAN = {"name": "pyramid", "version": "2.1", "vulns": []}
UNKNOWN = {"name": "webob", "skip_reason": "Dependency not found on PyPI and could not be audited"}
VULNERABLE = {
    "name": "pycryptodome",
    "version": "3.18.0",
    "vulns": [{"id": "PYSEC-2024-3", "fix_versions": ["3.19.1"], "aliases": ["CVE-2023-52323"]}],
}


def test_a_known_vulnerability_fails_the_audit_and_is_named() -> None:
    clean, text = verdict({"dependencies": [CLEAN, UNKNOWN, VULNERABLE]})
    assert clean is False
    assert "pycryptodome 3.18.0: PYSEC-2024-3, fixed in 3.19.1" in text
    assert "skipped, no data to be had: webob" in text


def test_an_audit_that_finds_nothing_says_how_much_it_looked_at() -> None:
    text = "2 distributions audited, nothing known against them"
    assert verdict({"dependencies": [CLEAN, CLEAN]}) == (True, text)


@pytest.mark.parametrize("report", [None, {"dependencies": [UNKNOWN, UNKNOWN]}], ids=["no answer", "no data"])
def test_an_audit_without_data_says_skipped_and_not_passed(report) -> None:
    clean, text = verdict(report)
    assert clean is None
    assert text.startswith("skipped: no data")
