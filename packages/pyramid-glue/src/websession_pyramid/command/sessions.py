"""`stats`, `list` and `show`: what is in the table of sessions.

Neither secrets nor data nor whole identifiers are shown. A session is called by the first eight hexadecimal
digits of its identifier, as in events and logs; any beginning that only one session has will do to name one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from websession_core.durations import duration
from websession_core.forecast import forecast
from websession_core.lifecycle import last_use
from websession_core.state import SHORT_NAME_LENGTH, short_name
from websession_models import ClientInfoMixin
from websession_models.overview import AGES, SIZES, ids_by_prefix, list_sessions, overview
from websession_models.own_transactions import reading
from websession_models.userids import is_only_too_large, userid_problem

from ..errors import sentence
from .application import ApplicationError, CommandLineError, DeclinedError
from .options import DURATION, Subcommand, configured, json_option
from .output import as_json, bars, facts, size, table
from .prometheus import prometheus_text
from .userids import read_userid, shown_userid

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection
    from websession_models import SessionRow
    from websession_models.overview import Listed, Overview

    from .application import Application
    from .options import Opener

__all__ = ["filters_of", "list_", "show", "stats", "the_one"]

_CHOICES = 10


@click.command(cls=Subcommand, example="stats --format prometheus production.ini > sessions.prom")
@click.option(
    "--idle-after",
    type=DURATION,
    default="15min",
    show_default=True,
    help="The time without use after which an active session counts as idle: seconds, or 15min, 12h, 30d.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "prometheus"]),
    help="The output format; prometheus is the text format that Prometheus reads.",
)
@json_option
@configured
def stats(*, open_application: Opener, idle_after: int, form: str | None, json_: bool) -> None:
    """Show statistics about the sessions.

    A session is active if it has not ended by the current settings, as in a request. Reads the whole table,
    without disturbing the application.
    """
    if json_ and form not in {None, "json"}:
        raise click.UsageError("--json and --format exclude each other.")
    with open_application() as application:
        now = application.factory.clock()
        policies = application.factory.policies(None)
        with reading(application.tables()) as connection:
            numbers = overview(
                connection, application.model, now=now, idle_after=idle_after, policies=policies
            )
    if json_ or form == "json":
        as_json(_overview_facts(numbers, now))
    elif form == "prometheus":
        click.echo(prometheus_text(numbers, now=now, session=application.name), nl=False)
    else:
        _show_numbers(numbers, now, idle_after)


def _show_numbers(numbers: Overview, now: int, idle_after: int) -> None:
    unknown = "(the model does not tell)"
    counts = [
        ("active", numbers.active),
        (f"  of these idle for {duration(idle_after)} or more", numbers.idle),
        ("  of these anonymous", numbers.anonymous),
        ("users with active sessions", numbers.users),
        ("most active sessions of one user", numbers.most_of_one_user),
        ("expired, not purged yet", numbers.expired),
        ("without a deadline", numbers.without_deadline),
    ]
    click.echo(
        facts(
            [
                *((label, unknown if number is None else number) for label, number in counts),
                ("oldest active", duration(None if numbers.oldest is None else now - numbers.oldest)),
                (
                    "data of an active session",
                    f"{size(numbers.payload_mean)} on average, {size(numbers.payload_largest)} at most",
                ),
            ]
        )
    )
    if numbers.active:
        title = "Last used" if numbers.idle is not None else "Begun or last logged in"
        click.echo(f"\n{title}")
        click.echo(bars(_labelled([f"< {duration(age)}" for age in AGES], "older", numbers.last_used)))
        click.echo("\nSize of the data")
        click.echo(bars(_labelled([f"<= {size(border)}" for border in SIZES], "larger", numbers.sizes)))


def _labelled(labels: list[str], rest: str, counts: tuple[int, ...]) -> list[tuple[str, int]]:
    return list(zip([*labels, rest], counts, strict=True))


def _overview_facts(numbers: Overview, now: int) -> dict[str, Any]:
    counts = "active", "idle", "anonymous", "users", "most_of_one_user", "expired", "without_deadline"
    return {
        **{name: getattr(numbers, name) for name in counts},
        "oldest_seconds": None if numbers.oldest is None else now - numbers.oldest,
        "payload_mean_bytes": numbers.payload_mean,
        "payload_largest_bytes": numbers.payload_largest,
        "last_used": [
            {"less_than_seconds": border, "count": count}
            for border, count in zip([*AGES, None], numbers.last_used, strict=True)
        ],
        "payload_sizes": [
            {"up_to_bytes": border, "count": count}
            for border, count in zip([*SIZES, None], numbers.sizes, strict=True)
        ],
    }


@click.command("list", cls=Subcommand, example="list --user 7 --active production.ini")
@click.option("--user", help="Only the sessions of this user, by the userid.")
@click.option("--anonymous", is_flag=True, help="Only anonymous sessions.")
@click.option("--older-than", type=DURATION, help="Only sessions that began longer ago: 12h, 30d.")
@click.option("--unused-for", type=DURATION, help="Only sessions that were not used for so long.")
@click.option("--active", is_flag=True, help="Only sessions that have not ended.")
@click.option("--expired", is_flag=True, help="Only sessions that have ended.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most this many.")
@json_option
@configured
def list_(*, open_application: Opener, limit: int, json_: bool, **criteria: Any) -> None:
    """List sessions, the last used first.

    Includes the browser and address if the model has ClientInfoMixin. A terminal shows as many columns as
    fit.
    """
    with open_application() as application:
        now = application.factory.clock()
        filters = filters_of(application, **criteria)
        with reading(application.tables()) as connection:
            sessions = list_sessions(connection, application.model, limit=limit + 1, **filters)
    has_more, sessions = len(sessions) > limit, sessions[:limit]
    knows_client = application.factory.store.features.offers(ClientInfoMixin)
    if json_:
        as_json({"sessions": [_line(row, now) for row in sessions], "has_more": has_more})
    elif sessions:
        headings = ["session", "user", "unused for", "ends in"]
        headings += [*(("browser", "address") if knows_client else ()), "age", "data"]
        click.echo(table(headings, [_cells(row, now, knows_client) for row in sessions], least=4))
    if not sessions:
        click.echo("There is no such session.", err=True)
    if has_more:
        click.echo(f"There are more than {limit}; --limit shows more of them.", err=True)


def _cells(row: Listed, now: int, knows_client: bool) -> list[str]:
    return [
        short_name(row.id),
        "-" if row.userid is None else str(shown_userid(row.userid)),
        duration(now - row.last_used),
        _ends_in(row.expires_at, now),
        *((row.user_agent or "-", row.client_address or "-") if knows_client else ()),
        duration(now - row.created),
        size(row.payload),
    ]


def _line(row: Listed, now: int) -> dict[str, Any]:
    return {
        "session": short_name(row.id),
        "user": shown_userid(row.userid),
        "age_seconds": now - row.created,
        "unused_seconds": now - row.last_used,
        "ends_in_seconds": None if row.expires_at is None else row.expires_at - now,
        "payload_bytes": row.payload,
        "browser": row.user_agent,
        "address": row.client_address,
    }


def _ends_in(end: int | None, now: int) -> str:
    if end is None:
        return "-"
    return duration(end - now) if end > now else "expired"


@click.command(cls=Subcommand, example="show production.ini 3f2a91c0")
@json_option
@configured
@click.argument("session")
def show(open_application: Opener, session: str, json_: bool) -> None:
    """Show one session, without its data.

    SESSION is the beginning of its identifier, as pyramid-sessions list shows it; give more digits if several
    begin alike.
    """
    with open_application() as application:
        now = application.factory.clock()
        with reading(application.tables()) as connection:
            row = application.factory.store.load(connection, the_one(connection, application, session))
    if row is None:
        raise _no_such(session)
    values = _facts(application, row, now)
    if json_:
        # Under the names of 0.2.0, too, for one series.
        as_json(
            {
                **values,
                "unused_for_seconds": values["unused_seconds"],
                "data_bytes": values["payload_bytes"],
            }
        )
    else:
        click.echo(facts([_fact(name, value) for name, value in values.items()]))


def _fact(name: str, value: Any) -> tuple[str, object]:
    """Return a label and what to show of a value, whose unit is the end of its name."""
    label = name.removesuffix("_seconds").removesuffix("_bytes").replace("_", " ")
    if name.endswith("_seconds"):
        return label, duration(value)
    if name.endswith("_bytes"):
        return label, size(value)
    return label, "-" if value is None else value


def _facts(application: Application, row: SessionRow, now: int) -> dict[str, Any]:
    ahead = forecast(row.state, application.factory.policies(row.overrides))

    def seconds_to(moment: int | None) -> int | None:
        return None if moment is None else moment - now

    return {
        "session": short_name(row.id),
        "user": shown_userid(row.userid),
        "age_seconds": now - row.created,
        "unused_seconds": now - last_use(row.state),
        "logged_in_for_seconds": None if row.authenticated_at is None else now - row.authenticated_at,
        "ends_in_seconds": seconds_to(ahead.end),
        "idle_timeout_in_seconds": seconds_to(ahead.idle_end),
        "absolute_timeout_in_seconds": seconds_to(ahead.absolute_end),
        "renewal_due_in_seconds": seconds_to(ahead.renewal_due),
        "writes": row.version,
        "changes_of_identity": row.epoch,
        "payload_bytes": len(row.data.encode()),
        "flash_messages_bytes": len(row.flash.encode()),
        "browser": row.user_agent,
        "address": row.client_address,
    }


def _no_such(session: str) -> DeclinedError:
    return DeclinedError(f"There is no session whose identifier begins with {session[:SHORT_NAME_LENGTH]}.")


def the_one(connection: Connection, application: Application, session: str) -> UUID:
    """Return the one session whose identifier begins with the hexadecimal digits `session`.

    Raises:
        CommandError: There is none, or more than one; then it names the choices.
    """
    try:
        ids = ids_by_prefix(connection, application.model, session, limit=_CHOICES + 1)
    except ValueError as error:
        raise CommandLineError(sentence(str(error))) from None
    if not ids:
        raise _no_such(session)
    if len(ids) == 1:
        return ids[0]
    # One digit more than they have in common is enough to choose by, and no whole identifier.
    names = [identifier.hex for identifier in ids[:_CHOICES]]
    length = next(n for n in range(SHORT_NAME_LENGTH, 33) if len({name[:n] for name in names}) > 1)
    choices = sorted({name[:length] for name in names})
    dots = ", ..." if len(ids) > _CHOICES else ""
    raise DeclinedError(
        f"Several sessions begin with {session}.", f"Say more of it: {', '.join(choices)}{dots}."
    )


def filters_of(
    application: Application,
    *,
    user: str | None = None,
    anonymous: bool = False,
    older_than: int | None = None,
    unused_for: int | None = None,
    active: bool = False,
    expired: bool = False,
) -> dict[str, Any]:
    """Return the arguments of `list_sessions()` for what the options of a command ask for.

    Raises:
        click.UsageError: The options exclude each other.
        CommandError: The model knows no users, or it is no userid.
    """
    if user is not None and anonymous:
        raise click.UsageError("--user and --anonymous exclude each other.")
    if active and expired:
        raise click.UsageError("--active and --expired exclude each other.")
    now = application.factory.clock()
    filters: dict[str, Any] = {"policies": application.factory.policies(None), "now": now}
    if active or expired:
        filters["active"] = active
    if user is not None or anonymous:
        filters["userid"] = _userid(application, user)
    if older_than is not None:
        filters["created_before"] = now - older_than
    if unused_for is not None:
        filters["used_before"] = now - unused_for
    return filters


def _userid(application: Application, user: str | None) -> Any:
    """Return what was typed (None: nobody) as a value of the model's userid."""
    if not application.factory.has("userid"):
        raise ApplicationError(
            "The session model knows no users.", "Add UseridMixin to its bases, and a migration."
        )
    features, dialect = application.factory.store.features, application.engine().dialect
    kind = features.userid_type
    if user is None or kind is None:
        return user
    try:
        userid = read_userid(user, kind)
    except (TypeError, ValueError, LookupError, ArithmeticError):
        problem = f"give a value of type {kind.__name__}"
    else:
        problem = userid_problem(features, userid, dialect) or ""
        if not problem or (dialect.name == "sqlite" and is_only_too_large(features, userid)):
            return userid
    raise CommandLineError(f"{user!r} is no userid of this application.", sentence(problem))
