"""`stats`, `list` and `show`: what is in the table of sessions.

Neither secrets nor data nor whole identifiers are shown. A session is called by the first eight hexadecimal
digits of its identifier, as in events and logs; any beginning that only one session has will do to name one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from websession_core.outlook import outlook
from websession_models.overview import AGES, SIZES, ids_by_prefix, list_sessions, overview, reading

from .options import DURATION, Configured, configured, json_option
from .output import as_json, bars, duration, size, table
from .target import ApplicationTrouble, CommandLineTrouble, Declined

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection
    from websession_models import SessionRow
    from websession_models.overview import Listed, Overview

    from .target import Target

__all__ = ["list_", "show", "stats", "the_one", "userid_of"]

_NAME_LENGTH = 8
_CHOICES = 10


@click.command
@click.option(
    "--idle-after",
    type=DURATION,
    default="15min",
    show_default=True,
    help="After how long without use an active session counts as idle: seconds, or 15min, 12h, 30d.",
)
@json_option
@configured
def stats(configured: Configured, idle_after: int, json_: bool) -> None:
    """Show the sessions in numbers.

    Active is a session that is not past its deadline. The table is read from end to end, without disturbing
    the application.
    """
    with configured.opened() as target:
        now = target.factory.clock()
        with reading(target.tables()) as connection:
            found = overview(connection, target.model, now=now, idle_after=idle_after)
    if json_:
        as_json(_numbers(found, now))
        return
    unknown = "(the model does not tell)"
    lines = [
        ("active", found.active),
        (f"  of these idle for {duration(idle_after)} or more", found.idle),
        ("  of these anonymous", found.anonymous),
        ("users with active sessions", found.users),
        ("most active sessions of one user", found.most_of_one_user),
        ("expired, not purged yet", found.expired),
        ("without a deadline", found.without_deadline),
    ]
    for label, number in lines:
        click.echo(f"{label:<40} {unknown if number is None else number}")
    click.echo(f"{'oldest active':<40} {'-' if found.oldest is None else duration(now - found.oldest)}")
    click.echo(
        f"{'data of an active session':<40} {size(found.payload_mean)} on average, "
        f"{size(found.payload_largest)} at most"
    )
    if found.active:
        title = "Last used" if found.idle is not None else "Begun or last logged in"
        click.echo(f"\n{title}")
        click.echo(bars(_labelled([f"< {duration(age)}" for age in AGES], "older", found.last_used)))
        click.echo("\nSize of the data")
        click.echo(bars(_labelled([f"<= {size(border)}" for border in SIZES], "larger", found.sizes)))


def _labelled(labels: list[str], rest: str, counts: tuple[int, ...]) -> list[tuple[str, int]]:
    return list(zip([*labels, rest], counts, strict=True))


def _numbers(found: Overview, now: int) -> dict[str, Any]:
    return {
        "active": found.active,
        "idle": found.idle,
        "anonymous": found.anonymous,
        "users": found.users,
        "most_of_one_user": found.most_of_one_user,
        "expired": found.expired,
        "without_deadline": found.without_deadline,
        "oldest_seconds": None if found.oldest is None else now - found.oldest,
        "payload_mean_bytes": found.payload_mean,
        "payload_largest_bytes": found.payload_largest,
        "last_used": [
            {"less_than_seconds": border, "count": count}
            for border, count in zip([*AGES, None], found.last_used, strict=True)
        ],
        "payload_sizes": [
            {"up_to_bytes": border, "count": count}
            for border, count in zip([*SIZES, None], found.sizes, strict=True)
        ],
    }


@click.command("list")
@click.option("--user", help="Only the sessions of this user, by the userid.")
@click.option("--anonymous", is_flag=True, help="Only sessions that belong to nobody.")
@click.option("--older-than", type=DURATION, help="Only sessions that began longer ago: 12h, 30d.")
@click.option("--unused-for", type=DURATION, help="Only sessions that were not used for so long.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most.")
@json_option
@configured
def list_(
    *,
    configured: Configured,
    user: str | None,
    anonymous: bool,
    older_than: int | None,
    unused_for: int | None,
    limit: int,
    json_: bool,
) -> None:
    """List sessions, the last used first."""
    if user is not None and anonymous:
        raise click.UsageError("--user and --anonymous exclude each other.")
    with configured.opened() as target:
        now = target.factory.clock()
        filters: dict[str, Any] = {}
        if user is not None or anonymous:
            filters["userid"] = userid_of(target, user)
        if older_than is not None:
            filters["created_before"] = now - older_than
        if unused_for is not None:
            filters["used_before"] = now - unused_for
        with reading(target.tables()) as connection:
            found = list_sessions(connection, target.model, limit=limit + 1, **filters)
    more, found = len(found) > limit, found[:limit]
    if json_:
        as_json([_line(listed, now) for listed in found])
    elif found:
        click.echo(
            table(
                ("session", "user", "age", "unused for", "ends in", "data"),
                [
                    (
                        _name(listed.id),
                        "-" if listed.userid is None else listed.userid,
                        duration(now - listed.created),
                        duration(now - listed.last_used),
                        _ends_in(listed.expires_at, now),
                        size(listed.payload),
                    )
                    for listed in found
                ],
            )
        )
    if not found:
        click.echo("There is no such session.", err=True)
    if more:
        click.echo(f"There are more than {limit}; --limit shows more of them.", err=True)


def _line(listed: Listed, now: int) -> dict[str, Any]:
    return {
        "session": _name(listed.id),
        "user": listed.userid,
        "age_seconds": now - listed.created,
        "unused_seconds": now - listed.last_used,
        "ends_in_seconds": None if listed.expires_at is None else listed.expires_at - now,
        "payload_bytes": listed.payload,
    }


def _ends_in(end: int | None, now: int) -> str:
    if end is None:
        return "-"
    return duration(end - now) if end > now else "expired"


@click.command
@json_option
@configured
@click.argument("session")
def show(configured: Configured, session: str, json_: bool) -> None:
    """Show one session, without its data.

    SESSION is the beginning of its identifier, as pyramid-sessions list shows it; longer where several begin
    alike.
    """
    with configured.opened() as target:
        now = target.factory.clock()
        with reading(target.tables()) as connection:
            row = target.factory.store.load(connection, the_one(connection, target, session))
    if row is None:
        raise _no_such(session)
    described = _described(target, row, now)
    if json_:
        as_json(described)
        return
    for name, value in described.items():
        label = name.removesuffix("_seconds").removesuffix("_bytes").replace("_", " ")
        if name.endswith("_seconds"):
            told = duration(value)
        elif name.endswith("_bytes"):
            told = size(value)
        else:
            told = "-" if value is None else str(value)
        click.echo(f"{label:<24} {told}")


def _described(target: Target, row: SessionRow, now: int) -> dict[str, Any]:
    ahead = outlook(row.state, target.factory.policies(row.overrides))

    def left(moment: int | None) -> int | None:
        return None if moment is None else moment - now

    activity = row.activity
    return {
        "session": _name(row.id),
        "user": row.userid,
        "age_seconds": now - row.created,
        "unused_for_seconds": None
        if activity is None or activity.active_at is None
        else now - activity.active_at,
        "logged_in_for_seconds": None if row.authenticated_at is None else now - row.authenticated_at,
        "ends_in_seconds": left(ahead.end),
        "idle_timeout_in_seconds": left(ahead.idle_end),
        "absolute_timeout_in_seconds": left(ahead.absolute_end),
        "renewal_due_in_seconds": left(ahead.renewal_due),
        "writes": row.version,
        "changes_of_identity": row.epoch,
        "data_bytes": len(row.data.encode()),
        "flash_messages_bytes": len(row.flash.encode()),
    }


def _name(identifier: UUID) -> str:
    return identifier.hex[:_NAME_LENGTH]


def _no_such(session: str) -> Declined:
    return Declined(f"There is no session whose identifier begins with {session[:_NAME_LENGTH]}.")


def the_one(connection: Connection, target: Target, session: str) -> UUID:
    """Return the one session that `session` is the beginning of.

    Args:
        connection: From `reading()`.
        target: Whose sessions.
        session: Hexadecimal digits.

    Raises:
        Trouble: There is none, or more than one; then it names the choices.
    """
    try:
        found = ids_by_prefix(connection, target.model, session, limit=_CHOICES + 1)
    except ValueError as error:
        raise CommandLineTrouble(f"{str(error)[0].upper()}{str(error)[1:]}.") from None
    if not found:
        raise _no_such(session)
    if len(found) == 1:
        return found[0]
    # One digit more than they have in common is enough to choose by, and no whole identifier.
    digits = [each.hex for each in found[:_CHOICES]]
    common = next(
        (place for place in range(32) if len({each[: place + 1] for each in digits}) > 1), _NAME_LENGTH
    )
    choices = sorted({each[: max(common + 1, _NAME_LENGTH)] for each in digits})
    dots = ", ..." if len(found) > _CHOICES else ""
    raise Declined(f"Several sessions begin with {session}.", f"Say more of it: {', '.join(choices)}{dots}.")


def userid_of(target: Target, user: str | None) -> Any:
    """Return what was typed as a value of the model's userid.

    Args:
        target: Whose sessions.
        user: What was typed; None: nobody.

    Raises:
        Trouble: The model knows no users, or it is no userid.
    """
    if not target.factory.has("userid"):
        raise ApplicationTrouble(
            "The session model knows no users.", "Add UseridMixin to its bases, and a migration."
        )
    kind = target.factory.store.features.userid_type
    if user is None or kind is None:
        return user
    try:
        return kind(user)
    except (TypeError, ValueError):
        raise CommandLineTrouble(
            f"{user!r} is no userid of this application.", f"Give a value of type {kind.__name__}."
        ) from None
