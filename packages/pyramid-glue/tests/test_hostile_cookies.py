"""Whatever a client sends as a cookie: no error, no entry, nothing written, no more work than an honest one.

The long run, of a million inputs:

    hatch test packages/pyramid-glue/tests/test_hostile_cookies.py -m slow -n 0
"""

from __future__ import annotations

import gc
import itertools
import os
import random
import sys
import time

import pytest
from hostile_cookies import KINDS, Target, decoded, spelled
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from site_under_test import SECRET_KEY
from websession_crypto import Keyring, TokenCodec, generate_secret_key

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)

FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
RUNS = 4
LATIN = st.text(st.characters(max_codepoint=255), max_size=400)


@pytest.fixture
def target(make_site):
    target = Target(make_site)
    target.opens_what_is_genuine()
    yield target
    target.opens_what_is_genuine()


@given(st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None, suppress_health_check=FIXTURE)
def test_what_an_attacker_makes_of_real_tokens_is_refused(target, draw):
    target.refuses(target.header(draw))


@given(LATIN)
@example("session")
@example("=;" * 2500)
@example('websession="')
@example("websession=" + "\0" * 4096)
@example("websession=\udcff")
@settings(max_examples=300, deadline=None, suppress_health_check=FIXTURE)
def test_a_header_of_any_characters_is_refused(target, junk):
    target.refuses(junk)
    target.refuses(f"websession={junk}")


def test_every_bit_of_a_token_counts(target):
    raw = decoded(target.genuine[0])
    for position in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[position // 8] ^= 1 << position % 8
        target.refuses(f"websession={spelled(bytes(flipped))}")


def test_every_truncation_is_refused(target):
    token = target.genuine[0]
    for length in range(len(token)):
        target.refuses(f"websession={token[:length]}")
        target.refuses(f"websession={token[length + 1 :]}")


def test_every_length_up_to_and_past_4096_is_refused(target):
    endless = target.genuine[0] * 50
    for length in range(1, 4200):
        if length != len(target.genuine[0]):
            target.refuses(f"websession={endless[:length]}")


def test_tokens_of_other_keys_purposes_and_versions_are_refused(target):
    for token in (*target.foreign, *target.no_tickets, *target.unknown):
        target.refuses(f"websession={token}")
    raw = decoded(target.genuine[0])
    for version in set(range(256)) - {raw[0]}:
        target.refuses(f"websession={spelled(bytes([version]) + raw[1:])}")


def test_the_rows_are_looked_for_once_however_many_cookies_there_are(target):
    for count in range(1, 20):
        target.refuses("; ".join(f"websession={token}" for token in (target.unknown * 2)[:count]))


def calls(target, headers):
    """Return how many functions, of Python and of C, a request calls at least: caches fill by and by."""
    counts = []

    def note(_frame, event, _argument):
        counts[-1] += event in ("call", "c_call")

    gc.freeze()  # what other tests have left, which would take long to look through
    gc.disable()  # what it finalizes is counted, too
    try:
        for header in headers:
            counts.append(0)
            sys.setprofile(note)
            try:
                target.send(header)
            finally:
                sys.setprofile(None)
    finally:
        gc.enable()
        gc.unfreeze()
    return min(counts)


@pytest.mark.parametrize("name", ["other-websession", "other websession", "x; other-websession"])
def test_the_end_of_a_longer_name_is_no_cookie_of_ours(target, name):
    token = target.genuine[0]
    assert b"of-a-user" in target.send(f"x=1; \t websession={token}")[2]
    assert b"of-a-user" not in target.send(f"{name}={token}")[2]


@pytest.mark.parametrize("keys", [1, 3])
@pytest.mark.parametrize("count", [1, 4, 20])
def test_refusing_costs_no_more_than_accepting_the_same_number_of_cookies(make_site, keys, count):
    ring = [SECRET_KEY, *(generate_secret_key() for _ in range(keys - 1))]
    target = Target(make_site, secret_key=ring)
    # Tokens that no server has seen before, under the key that is tried last.
    ticket = TokenCodec(Keyring.from_text(SECRET_KEY), purpose="websession").decrypt(target.genuine[0])
    last = TokenCodec(Keyring.from_text(ring[-1]), purpose="websession")
    fresh = ["; ".join(f"websession={last.encrypt(ticket)}" for _ in range(count)) for _ in range(RUNS)]
    accepted, sent = calls(target, fresh), len(target.site.statements)
    assert b"of-a-user" in target.send(fresh[0])[2]

    draw = random.Random(8)
    hostile = [*target.foreign, *target.unknown, *target.no_tickets, "x" * 3840]
    hostile += [make(target, draw) for make in KINDS for _ in range(3)]
    for token in hostile:
        header = "; ".join([f"websession={token}"] * count)
        assert calls(target, [header] * RUNS) <= accepted, token
        assert len(target.site.statements) <= sent


@pytest.mark.parametrize("kind", ["foreign", "unknown", "no_tickets"])
def test_the_fifth_cookie_of_the_name_and_those_after_it_cost_nothing(target, kind):
    def cost(count):
        header = "; ".join(f"websession={token}" for token in (getattr(target, kind) * 8)[:count])
        return calls(target, [header] * RUNS)

    assert cost(30) == cost(4) > cost(3)


@pytest.mark.slow
def test_a_million_inputs_are_refused(make_site, capsys):
    """Set WEBSESSION_FUZZ_SEED and WEBSESSION_FUZZ_INPUTS for another run."""
    seed = int(os.environ.get("WEBSESSION_FUZZ_SEED", "20250625"))
    inputs = int(os.environ.get("WEBSESSION_FUZZ_INPUTS", "1000000"))
    target = Target(make_site)
    began = time.perf_counter()
    for number, header in enumerate(itertools.islice(target.headers(random.Random(seed)), inputs), 1):
        target.refuses(header)
        if number % 100_000 == 0:
            assert target.state() == target.stored
            with capsys.disabled():
                seconds = time.perf_counter() - began
                sys.stdout.write(f"\n{number} inputs refused, {seconds:.0f} s, seed {seed}")
    target.opens_what_is_genuine()
