"""What the wheels bring along: a software bill of materials for each, and known vulnerabilities.

`hatch run supply:sbom` builds every member into `dist/`, with a CycloneDX document beside each wheel.
`hatch run supply:audit` asks for known vulnerabilities of everything that the members can bring.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from members import ROOT, Member, members, of_others
from wheels import Distribution, Environment, build, run

if TYPE_CHECKING:
    from collections.abc import Sequence


def purl(name: str, version: str) -> str:
    """Return the package URL of a distribution on PyPI."""
    return f"pkg:pypi/{name}@{version}"


def complete(bom: dict[str, Any], distribution: Distribution, ours: frozenset[str]) -> dict[str, Any]:
    """Let a bill of materials name the wheel that it belongs to, and no folder of this machine; return it.

    cyclonedx-py knows the wheel by its pyproject.toml alone, and `ours` by the files they came from.
    """
    version = str(distribution.metadata["Version"])
    digest = hashlib.sha256(distribution.wheel.read_bytes()).hexdigest()
    bom["metadata"]["component"] |= {
        "version": version,
        "purl": purl(distribution.name, version),
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }
    for component in bom.get("components", []):
        if component["name"] in ours:
            component.pop("externalReferences", None)
            component["purl"] = purl(component["name"], component["version"])
    return bom


def describe(member: Member, distribution: Distribution, ours: Sequence[Distribution], place: Path) -> str:
    """Return the bill of materials of one wheel: what is installed with it today, in an empty environment.

    Raises:
        ValueError: It is no valid CycloneDX document.
    """
    # Only the environment of this command has it.
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    environment = Environment.make(place, ours)
    environment.install(distribution.wheel)
    options = ["--output-reproducible", "--mc-type", "library", "--spec-version", "1.6"]
    command = [sys.executable, "-m", "cyclonedx_py", "environment", *options]
    text = run(*command, "--pyproject", member.folder / "pyproject.toml", environment.python)
    bom = complete(json.loads(text), distribution, frozenset(sibling.name for sibling in ours))
    text = json.dumps(bom, indent=2, sort_keys=True) + "\n"
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"{distribution.name}: {problem}")
    return text


def sbom(out: Path) -> None:
    """Build all members, and a bill of materials beside each wheel, into a folder, which is emptied first."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        ours = {member: build(member.folder, place / member.name) for member in members()}
        for member, distribution in ours.items():
            text = describe(member, distribution, list(ours.values()), place / f"{member.name}-environment")
            for path in (distribution.sdist, distribution.wheel):
                shutil.copy(path, out)
            bom = out / f"{distribution.wheel.name}.cdx.json"
            bom.write_text(text, "utf-8")
            brings = len(json.loads(text).get("components", []))
            print(f"{bom.relative_to(out.parent)}: {brings} other distributions")


def verdict(report: dict[str, Any] | None) -> tuple[bool | None, str]:
    """Judge the JSON that pip-audit wrote; None if it wrote none.

    Returns:
        Whether nothing is known against what was audited, or None if nothing could be learned; and the
        sentences that say so.
    """
    entries = [] if report is None else report["dependencies"]
    items = [entry for entry in entries if "skip_reason" not in entry]
    if not items:
        return None, "skipped: no data about vulnerabilities is to be had here, so nothing is known"
    lines = [
        f"{entry['name']} {entry['version']}: {vulnerability['id']}, "
        f"fixed in {', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for entry in items
        for vulnerability in entry["vulns"]
    ]
    clean = not lines
    lines.append(f"{len(items)} distributions audited" + (", nothing known against them" if clean else ""))
    if unknown := [entry["name"] for entry in entries if "skip_reason" in entry]:
        lines.append(f"skipped, no data to be had: {', '.join(unknown)}")
    return clean, "\n".join(lines)


def audit(*, insist: bool) -> int:
    """Ask for known vulnerabilities of all that the members can bring, extras included, at its newest.

    Return the exit status; with `insist` it is a failure that nothing can be learned.
    """
    others = {str(need) for member in members() for need in of_others(member.all_requirements)}
    with tempfile.TemporaryDirectory() as scratch:
        environment = Environment.make(Path(scratch), [])
        environment.install(*sorted(others))
        where = run(environment.python, "-c", "import sysconfig as s; print(s.get_path('purelib'))").strip()
        result = subprocess.run(
            [sys.executable, "-m", "pip_audit", "--path", where, "--format=json", "--progress-spinner=off"],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        report = json.loads(result.stdout)
    except ValueError:
        # It ended with an error: mostly the network's.
        report = None
        print(result.stderr.strip().rpartition("\n")[2])
    clean, text = verdict(report)
    print(text)
    return int(clean is False or (clean is None and insist))


def main() -> int:
    """Run one of the two."""
    parser = argparse.ArgumentParser(prog="hatch run supply:")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sbom")
    audits = commands.add_parser("audit")
    audits.add_argument("--insist", action="store_true", help="fail where no data is to be had")
    args = parser.parse_args()
    if args.command == "audit":
        return audit(insist=args.insist)
    sbom(ROOT / "dist")
    return 0


if __name__ == "__main__":
    sys.exit(main())
