from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from websession_core import (
    OPTIONS,
    ConfigurationError,
    CookieSecure,
    Draft,
    Mistake,
    SameSite,
    Settings,
    parse_settings,
)
from websession_core.settings import COOKIE_MAX_AGE_LIMIT, cookie_name_prefix

from .configured import Model, mistakes, parse

if TYPE_CHECKING:
    from collections.abc import Iterator


# Not random to us, but so to everybody's eyes.
KEY = "uF0h-Zbq3N_kD8yRr1WmXo5vTgQeJ7cPzB2sLiA4KwU"


class TestDefaults:
    def test_they_are_the_safe_ones(self) -> None:
        settings = parse()

        assert settings.dbsession_name == "dbsession"
        assert settings.cookie_name == "websession"
        assert settings.cookie_max_age is None
        assert settings.cookie_path == "/"
        assert settings.cookie_domain is None
        assert settings.cookie_secure is CookieSecure.AUTO
        assert settings.cookie_httponly is True
        assert settings.cookie_samesite is SameSite.LAX

    def test_other_names_in_the_mapping_are_not_ours(self) -> None:
        mapping = {
            "session.secret_key": "key",
            "session.model_class": Model,
            "sqlalchemy.url": "sqlite://",
            "sessions.x": 1,
        }

        assert parse_settings(mapping) == parse()

    @pytest.mark.parametrize("prefix", ["admin_session.", ""])
    def test_the_prefix_can_be_changed(self, prefix: str) -> None:
        assert parse(prefix=prefix, cookie_name="x").cookie_name == "x"


class TestValues:
    @pytest.mark.parametrize(
        ("name", "given", "value"),
        [
            ("dbsession_name", " db ", "db"),
            ("cookie_name", "__Secure!#$%&'*+-.^_`|~x", None),
            ("cookie_name", "sid", "sid"),
            ("cookie_max_age", "3600", 3600),
            ("cookie_max_age", " 1 ", 1),
            ("cookie_max_age", "14d", 1_209_600),
            ("idle_timeout", "30min", 1800),
            ("absolute_timeout", "12 h", 43_200),
            ("renewal_timeout", "15m", 900),
            ("renewal_grace", "2min", 120),
            ("cookie_max_age", 60, 60),
            ("cookie_max_age", COOKIE_MAX_AGE_LIMIT, 34_560_000),
            ("cookie_max_age", "", None),
            ("cookie_max_age", "None", None),
            ("cookie_max_age", None, None),
            ("cookie_path", "/shop/a%20b", "/shop/a%20b"),
            ("cookie_path", "/~a.b/...!$&'()*+:=@[]|%2c/", "/~a.b/...!$&'()*+:=@[]|%2c/"),
            ("cookie_domain", "Example.COM", "example.com"),
            ("cookie_domain", ".example.com", "example.com"),
            ("cookie_domain", "localhost", "localhost"),
            ("cookie_domain", "", None),
            ("cookie_domain", None, None),
            ("cookie_secure", "auto", CookieSecure.AUTO),
            ("cookie_secure", "Yes", CookieSecure.ALWAYS),
            ("cookie_secure", True, CookieSecure.ALWAYS),
            ("cookie_secure", "off", CookieSecure.NEVER),
            ("cookie_secure", False, CookieSecure.NEVER),
            ("cookie_secure", CookieSecure.NEVER, CookieSecure.NEVER),
            ("cookie_httponly", "0", False),
            ("cookie_httponly", "TRUE", True),
            ("cookie_httponly", False, False),
            ("cookie_samesite", "strict", SameSite.STRICT),
            ("cookie_samesite", SameSite.LAX, SameSite.LAX),
            ("visitor_cookie_max_age", "60", 60),
            ("visitor_cookie_max_age", "0", 0),
            ("visitor_cookie_max_age", "", None),
            ("visitor_cookie_samesite", "strict", SameSite.STRICT),
            ("visitor_cookie_samesite", "", None),
            ("visitor_cookie_samesite", None, None),
            ("alongside_0_2", "true", True),
        ],
    )
    def test_text_and_python_values_are_read(self, name: str, given: Any, value: Any) -> None:
        if value is None and name == "cookie_name":
            assert getattr(parse(cookie_name=given, cookie_secure=True), name) == given
            return
        read = getattr(parse(**{name: given}), name)
        assert read == value
        assert type(read) is type(value)

    @pytest.mark.parametrize(
        ("name", "given", "problem"),
        [
            ("secret_key", "", "is missing"),
            ("secret_key", None, "is missing"),
            ("model_class", "", "is missing"),
            ("model_class", "some.Class", "must be a class"),
            ("model_class", Model(), "must be a class"),
            ("dbsession_name", "", "must not be empty"),
            ("dbsession_name", "db-session", "name of a request attribute"),
            ("dbsession_name", 3, "must be text, not int"),
            ("cookie_name", "my session", "character"),
            ("cookie_name", "n" * 256, "is longer than 255 characters"),
            ("cookie_name", "séance", "character"),
            ("cookie_name", "a=b", "character"),
            ("cookie_name", "a\nb", "character"),
            ("cookie_max_age", "0", "greater than 0"),
            ("cookie_max_age", -1, "greater than 0"),
            ("cookie_max_age", COOKIE_MAX_AGE_LIMIT + 1, "longer than browsers keep"),
            ("cookie_max_age", "1.5", "no duration"),
            ("cookie_max_age", 1.5, "whole number"),
            ("cookie_max_age", True, "whole number"),
            ("cookie_max_age", "9" * 5000, "no duration"),
            ("cookie_max_age", "१", "no duration"),
            ("cookie_path", "shop", "must start with"),
            ("cookie_path", "/a;b", "semicolon"),
            ("cookie_path", "/a\r\nSet-Cookie: x=y", "control"),
            ("cookie_path", "/é", "beyond ASCII"),
            *(("cookie_path", f"/a{sign}b", "no browser sends") for sign in ' "#<>?\\`{},'),
            *(("cookie_path", path, "no browser leaves") for path in ("/a/../b", "/./b", "/a/..", "/.")),
            ("cookie_domain", "https://example.com", "not the name of a domain"),
            ("cookie_domain", "example.com:8080", "not the name of a domain"),
            ("cookie_domain", "a..b", "not the name of a domain"),
            ("cookie_domain", "-a.com", "not the name of a domain"),
            ("cookie_domain", "bücher.example", "not the name of a domain"),
            ("cookie_domain", "com", "single word"),
            ("cookie_domain", ".intranet", "single word"),
            ("cookie_domain", "a." * 127 + "com", "not the name of a domain"),
            ("cookie_domain", "x" * 64 + ".com", "not the name of a domain"),
            ("cookie_secure", "maybe", "neither auto, true nor false"),
            ("cookie_secure", 1, "neither auto, true nor false"),
            ("cookie_partitioned", "auto", "neither true nor false"),
            ("cookie_httponly", "auto", "neither true nor false"),
            ("cookie_httponly", None, "must be text"),
            ("cookie_samesite", "loose", "not one of"),
            ("cookie_samesite", None, "must be text"),
            ("cookie_samesite", False, "must be text"),
        ],
    )
    def test_a_wrong_value_is_a_mistake_that_says_what_to_do(
        self, name: str, given: Any, problem: str
    ) -> None:
        (found,) = mistakes(**{name: given}).values()

        assert found.setting == f"session.{name}"
        assert problem in found.problem
        assert found.remedy

    def test_the_cookie_is_secure_by_https_or_by_order(self) -> None:
        assert CookieSecure.AUTO.applies(https=True)
        assert not CookieSecure.AUTO.applies(https=False)
        assert CookieSecure.ALWAYS.applies(https=False)
        assert not CookieSecure.NEVER.applies(https=True)

    def test_taking_the_option_for_a_boolean_is_loud(self) -> None:
        with pytest.raises(TypeError, match="applies"):
            bool(CookieSecure.NEVER)


class TestMistakes:
    def test_all_are_told_at_once(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            parse_settings(
                {
                    "session.secretkey": "hunter2",
                    "session.cookie_max_age": "soon",
                    "session.cookie_path": "x",
                    "session.cookie_name": "__Secure-x",
                    "session.cookie_samesite": "None",
                }
            )

        assert str(caught.value).splitlines() == [
            "7 mistakes in the session settings:",
            "  session.secret_key: is missing; make one with generate_secret_key()",
            (
                "  session.model_class: is missing; give the class or its dotted name, "
                "like yourproject.models.session.Session"
            ),
            (
                "  session.cookie_max_age = 'soon': is no duration; "
                "give 1 to 34560000 seconds, or a duration up to 400d, or leave it out"
            ),
            (
                "  session.cookie_path = 'x': must start with \"/\"; "
                'give a path like "/", percent-encoded where needed'
            ),
            "  session.secretkey: is not a known setting; did you mean session.secret_key?",
            (
                "  session.cookie_secure: browsers refuse a cookie whose name starts with __Secure- "
                "unless it is Secure; set it to true, or change session.cookie_name"
            ),
            (
                "  session.cookie_secure: browsers refuse a cookie with session.cookie_samesite = None "
                "unless it is Secure; set it to true, or set session.cookie_samesite to Lax or Strict"
            ),
        ]

    @pytest.mark.parametrize(
        ("name", "near"),
        [
            ("cookie_samsite", "cookie_samesite"),
            ("Cookie-Name", "cookie_name"),
            ("max_age", "cookie_max_age"),
            ("model", "model_class"),
        ],
    )
    def test_an_unknown_name_is_answered_with_the_nearest_known_one(self, name: str, near: str) -> None:
        assert mistakes(**{name: "x"})[name].remedy == f"did you mean session.{near}?"

    def test_a_name_like_none_of_ours_may_belong_to_somebody_else(self) -> None:
        assert "choose another prefix" in mistakes(zzz="x")["zzz"].remedy

    def test_a_secret_is_never_shown_not_even_under_a_misspelled_name(self) -> None:
        def convert(_: Any) -> Any:
            raise ValueError("must be 32 bytes")

        with pytest.raises(ConfigurationError) as caught:
            parse_settings(
                {
                    "session.secret_key": "hunter2",
                    "session.secret_keys": "hunter2",
                    "session.model_class": Model,
                },
                converters={"secret_key": convert},
            )

        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in repr(caught.value)
        assert "must be 32 bytes" in str(caught.value)
        assert caught.value.__context__ is None

    @pytest.mark.parametrize(
        "spelling", [KEY, f"{KEY}=", f'"{KEY}"', KEY[:-1], f"{KEY} {KEY}", KEY.lower(), KEY.encode()]
    )
    @pytest.mark.parametrize("name", [row.name for row in OPTIONS])
    def test_a_key_in_the_wrong_place_is_not_shown(self, name: str, spelling: str | bytes) -> None:
        told = str(mistakes(**{name: spelling, "unknown": spelling}))
        for text in (KEY, KEY.lower()):
            assert not [start for start in range(len(text) - 24) if text[start : start + 25] in told]

    @pytest.mark.parametrize(
        ("name", "shown", "near"),
        [
            (f"secret_key {KEY}", "session.secret_key ...", "session.secret_key"),
            (f"secret_key\t{KEY} {KEY}", "session.secret_key ...", "session.secret_key"),
            (f"secretkey:{KEY}", "session.<53 characters>", None),
            (KEY, "session.<43 characters>", None),
            (KEY.lower(), "session.<43 characters>", None),
            (f" {KEY}", "session.<44 characters>", None),
            ("secret_key ", "session.secret_key ", "session.secret_key"),
            ("", "session.", None),
            ("cookie_secure_in_production_only", "session.cookie_secure_in_production_only", None),
        ],
    )
    def test_a_name_shows_no_value_that_got_into_it(self, name: str, shown: str, near: str | None) -> None:
        with pytest.raises(ConfigurationError) as caught:
            parse_settings({"session.secret_key": "k", "session.model_class": Model, f"session.{name}": ""})
        (mistake,) = caught.value.mistakes
        assert (mistake.setting, mistake.value) == (shown, None)
        assert near is None or mistake.remedy == f"did you mean {near}?"

    def test_long_values_and_objects_are_not_shown(self) -> None:
        class Thing:
            def __repr__(self) -> str:
                return "hunter2"

        assert mistakes(cookie_path="x" * 24)["cookie_path"].value == repr("x" * 24)
        assert mistakes(cookie_path="x" * 25)["cookie_path"].value == "<25 characters>"
        assert mistakes(cookie_path=10**25)["cookie_path"].value == "<int>"
        assert mistakes(cookie_path=Thing())["cookie_path"].value == "<Thing>"
        assert mistakes(cookie_path=Model)["cookie_path"].value == f"{Model.__module__}.Model"


class TestConverters:
    def test_they_make_the_values_of_their_options(self) -> None:
        settings = parse_settings(
            {"session.secret_key": "a b", "session.model_class": "x.Model"},
            converters={"secret_key": str.split, "model_class": {"x.Model": Model}.__getitem__},
        )

        assert settings.secret_key == ["a", "b"]
        assert settings.model_class is Model

    def test_their_errors_are_told_with_the_options_remedy(self) -> None:
        def convert(name: str) -> Any:
            raise ImportError(f"there is no module {name}")

        with pytest.raises(ConfigurationError) as caught:
            parse_settings(
                {"session.secret_key": "k", "session.model_class": "x.y"}, converters={"model_class": convert}
            )

        (mistake,) = caught.value.mistakes
        assert (mistake.value, mistake.problem) == (None, "there is no module x.y")
        assert mistake.remedy.startswith("give the class")

    def test_their_errors_may_bring_a_remedy_of_their_own(self) -> None:
        class KeyFormatError(ValueError):
            problem = "is 31 bytes long"
            remedy = "make another one"

        def convert(_: Any) -> Any:
            raise KeyFormatError("is 31 bytes long; make another one")

        with pytest.raises(ConfigurationError) as caught:
            parse_settings(
                {"session.secret_key": "k", "session.model_class": Model}, converters={"secret_key": convert}
            )

        assert caught.value.mistakes == (
            Mistake("session.secret_key", None, "is 31 bytes long", "make another one"),
        )

    def test_they_are_not_asked_about_nothing(self) -> None:
        with pytest.raises(ConfigurationError, match=r"secret_key: is missing"):
            parse_settings(
                {"session.secret_key": " ", "session.model_class": Model},
                converters={"secret_key": str.split},
            )

    def test_one_for_an_option_that_does_not_exist_is_the_programmers_mistake(self) -> None:
        with pytest.raises(LookupError, match="secretkey"):
            parse_settings({}, converters={"secretkey": str})


class TestCookieRules:
    @pytest.mark.parametrize("name", ["__Host-s", "__host-s", "__HOST-s"])
    def test_a_host_cookie_must_be_secure_with_the_root_path_and_no_domain(self, name: str) -> None:
        found = mistakes(cookie_name=name, cookie_path="/a", cookie_domain="a.com", cookie_secure="auto")

        assert set(found) == {"cookie_secure", "cookie_path", "cookie_domain"}
        assert parse(cookie_name=name, cookie_secure="true").cookie_name == name

    def test_a_mistake_in_one_attribute_does_not_hide_those_in_the_others(self) -> None:
        found = mistakes(cookie_name="__Host-s", cookie_path="/a", cookie_domain="a.com", cookie_secure="?")

        assert set(found) == {"cookie_secure", "cookie_path", "cookie_domain"}
        assert "neither" in found["cookie_secure"].problem

    def test_a_secure_prefix_demands_only_secure(self) -> None:
        assert set(mistakes(cookie_name="__secure-s", cookie_path="/a")) == {"cookie_secure"}
        assert parse(cookie_name="__Secure-s", cookie_path="/a", cookie_domain="a.com", cookie_secure=True)

    @pytest.mark.parametrize("secure", ["auto", "false"])
    def test_a_cross_site_cookie_must_be_secure(self, secure: str) -> None:
        found = mistakes(cookie_samesite="None", cookie_secure=secure)

        assert set(found) == {"cookie_secure"}
        assert found["cookie_secure"].value == repr(secure)
        assert parse(cookie_samesite="None", cookie_secure="true").cookie_samesite is SameSite.NONE

    def test_so_must_that_of_visitors(self) -> None:
        assert set(mistakes(visitor_cookie_samesite="None")) == {"cookie_secure"}
        read = parse(visitor_cookie_samesite="None", cookie_secure="true")
        assert read.visitor_cookie_samesite is SameSite.NONE

    @pytest.mark.parametrize("name", ["session", "__Host-session", "__Secure-s", "s" * 255])
    def test_the_name_of_the_visitors_cookie_keeps_the_prefix_and_is_not_too_long(self, name: str) -> None:
        visitors = parse(cookie_name=name, cookie_secure="true").visitor_cookie_name
        assert visitors != name
        assert visitors.endswith("-visitor")
        assert cookie_name_prefix(visitors) == cookie_name_prefix(name)
        assert len(visitors) <= 255

    @pytest.mark.parametrize("secure", ["auto", "false"])
    def test_so_must_a_partitioned_one(self, secure: str) -> None:
        found = mistakes(cookie_partitioned="true", cookie_secure=secure)
        assert set(found) == {"cookie_secure"}
        assert parse(cookie_partitioned="true", cookie_secure="true").cookie_partitioned is True


class TestFurtherChecks:
    def test_an_adapters_own_rules_join_the_same_error(self) -> None:
        def short_name(draft: Draft) -> Iterator[Mistake]:
            if len(draft["cookie_name"]) < 3:
                yield draft.mistake("cookie_name", "is too short", f"see {draft.name('cookie_path')}")

        with pytest.raises(ConfigurationError) as caught:
            parse_settings(
                {"s.secret_key": "k", "s.model_class": Model, "s.cookie_name": "x", "s.cookie_httponly": "?"},
                prefix="s.",
                checks=[short_name],
            )

        assert caught.value.mistakes[1] == Mistake(
            "s.cookie_name", "'x'", "is too short", "see s.cookie_path"
        )
        assert len(caught.value.mistakes) == 2

    def test_a_rule_about_an_option_that_is_wrong_already_says_nothing(self) -> None:
        def rule(draft: Draft) -> list[Mistake]:
            return [draft.mistake("cookie_path", str(draft["cookie_path"]), "never told")]

        with pytest.raises(ConfigurationError) as caught:
            parse_settings(
                {"session.secret_key": "k", "session.model_class": Model, "session.cookie_path": "x"},
                checks=[rule],
            )

        assert len(caught.value.mistakes) == 1

    def test_a_rule_about_an_option_that_does_not_exist_is_the_programmers_mistake(self) -> None:
        with pytest.raises(KeyError):
            parse_settings(
                {"session.secret_key": "k", "session.model_class": Model},
                checks=[lambda draft: draft["nothing"]],
            )


class TestInCode:
    def test_the_constructor_reads_and_checks_like_the_parser(self) -> None:
        settings = Settings(secret_key="k", model_class=Model, cookie_max_age="60", cookie_samesite="strict")  # type: ignore[arg-type]

        assert settings.cookie_max_age == 60
        assert settings.cookie_samesite is SameSite.STRICT

    def test_wrong_settings_cannot_exist(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Settings(secret_key="", model_class=Model, cookie_path="x", cookie_samesite=SameSite.NONE)

        assert [mistake.setting for mistake in caught.value.mistakes] == [
            "secret_key",
            "cookie_path",
            "cookie_secure",
        ]
        with pytest.raises(ConfigurationError):
            dataclasses.replace(parse(), cookie_name="__Host-x")

    def test_they_cannot_be_changed(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            parse().cookie_name = "x"  # type: ignore[misc]

    def test_their_repr_shows_no_secret(self) -> None:
        assert "hunter2" not in repr(parse(secret_key="hunter2"))

    @hypothesis_settings(deadline=None)
    @given(
        options=st.fixed_dictionaries(
            {},
            optional={
                row.name: st.text(max_size=30)
                | st.sampled_from(
                    ["auto", "true", "None", "strict", "/", "a.b", "__Host-x", "12", "dbsession"]
                )
                | st.none()
                | st.integers()
                | st.booleans()
                for row in OPTIONS
                if not row.required
            },
        )
    )
    def test_whatever_is_configured_gives_settings_or_the_one_error(self, options: dict[str, Any]) -> None:
        told: tuple[Mistake, ...] = ()
        try:
            settings = parse(**options)
        except ConfigurationError as error:
            told = error.mistakes
            lines = str(error).splitlines()
        if told:
            assert len(lines) == 1 + len(told)
        else:
            # What was read once is read again as the same.
            assert dataclasses.replace(settings) == settings


class TestTable:
    def test_every_option_is_a_documented_field(self) -> None:
        assert [row.name for row in OPTIONS] == [field.name for field in dataclasses.fields(Settings)]
        for row in OPTIONS:
            assert re.fullmatch(r"[A-Z].*\.", row.doc)
            assert "\n" not in row.doc
            assert row.expects
            assert row.expects[0].islower()

    def test_it_tells_defaults_units_and_what_is_required_and_secret(self) -> None:
        rows = {row.name: row for row in OPTIONS}

        assert [name for name, row in rows.items() if row.required] == ["secret_key", "model_class"]
        assert [name for name, row in rows.items() if row.secret] == ["secret_key", "data_secret_key"]
        durations = {"cookie_max_age", "visitor_cookie_max_age", "extension_delay", "renewal_grace"} | {
            f"{kind}_timeout" for kind in ("idle", "absolute", "renewal")
        }
        assert {name for name, row in rows.items() if row.unit == "seconds"} == durations
        for name, row in rows.items():
            if not row.required:
                assert row.parse(row.default) == row.default == getattr(parse(), name)
