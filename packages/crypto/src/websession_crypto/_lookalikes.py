"""Telling keys from what people type: a made-up key from a random one, a name from what may be a key.

Made-up keys
============

Any 43 characters of the base64 alphabet decode to 32 bytes, so that a passphrase or a row of ``a`` passes
every check of form, and an attacker who guesses it forges every session. What people make up has a short
description; a random key has none, and that can be counted. There are 2**256 keys. A rule that refuses at
most 2**n of them refuses a random key with probability 2**(n - 256) at most. The rules are these, with `raw`
the 32 bytes and `text` the first 42 of the 43 characters (the last one has only 4 bits, which is a factor of
16 in the counts):

====================================================  =======================================  ==========
rule                                                  refuses at most                          keys
====================================================  =======================================  ==========
text repeats after 31 characters or fewer             16 · sum of 64**p for p in 1..31         2**190.1
raw repeats after 24 bytes or fewer                   sum of 256**p for p in 1..24             2**192.1
text has 11 different characters or fewer             16 · C(64, 11) · 11**42                  2**188.8
raw has 11 different bytes or fewer                   C(256, 11) · 11**32                      2**174
text takes 8 different steps or fewer                 16 · 64 · C(256, 8) · 8**41              2**181.6
raw takes 8 different steps or fewer                  256 · C(256, 8) · 8**31                  2**149.6
raw is letters, digits, spaces, hyphens, underscores  65**32                                   2**192.8
text costs at most 188.5 bits as prose                16 · 5 · 2**188.5                        2**194.9
raw costs at most 190 bits as prose                   5 · 2**190                               2**192.4
====================================================  =======================================  ==========

Together less than 2**195.6 keys: a random key is refused with probability 2**-60.4 or less. (The tests do
the sum.)

"Costs as prose": the sum of log2(1 / probability) over the characters, under a model of what people type:
whether vowel, consonant, separator or something else comes next depends on which of them came before, and
which vowel or which consonant it is depends on nothing. The probabilities of what can come next sum up to 1,
so a string that costs c bits has the probability 2**-c, and no more than 2**B strings can cost B bits or
less. The separator may be one of four characters, or none: a factor of 5.

What this cannot find: a key that was published, or a passphrase with an unusual spelling. It is a net for
accidents.

Names
=====

A message names the file or the variable that is not there, and where the name belongs somebody may have put
a key, whole, cut or mistyped. A word of a message is shown only if it is made of names: letters in one case
or in "camel" case, a few digits behind them; a number; something like ``k8s`` or ``2nd``. A random key jumps
between cases and digits. It passes with a probability below 2**-29, 24 characters of it with one below
2**-16, and 12 with one below 2**-8. (The tests do this sum, too.) A file whose name is itself random, the
hash of a commit for example, is not shown.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from itertools import pairwise
from math import inf, log2
from unicodedata import normalize

__all__ = ["conceal_keys", "describe_lookalike"]

# Divided by the length: repeats within three quarters of it.
_PERIOD = 3 / 4
_DISTINCT = 11
_STEPS = 8
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 -_")
_PROSE_BITS_OF_TEXT = 188.5
_PROSE_BITS_OF_RAW = 190
_SEPARATORS = frozenset(b"-_. ")

# Letters per 10,000 of English; half of the probability is spread evenly, or else "the-quick-brown-fox" would
# not be prose.
_VOWELS = dict(zip(b"eaoiuy", (1270, 817, 751, 697, 276, 197), strict=True))
_CONSONANTS = dict(
    zip(
        b"tnshrdlcmwfgpbvkjxqz",
        (906, 675, 633, 609, 599, 425, 403, 278, 241, 236, 223, 202, 193, 129, 98, 77, 15, 15, 10, 7),
        strict=True,
    )
)
_SPACE = {ord(" "): 1}
_OTHERS = dict.fromkeys(set(range(0x20, 0x7F)) - set(_VOWELS) - set(_CONSONANTS) - set(_SPACE), 1)
_CLASSES = (_VOWELS, _CONSONANTS, _SPACE, _OTHERS)
# One row for each class of the character before, with the probabilities of the class that follows. Prose
# without separators has the same proportions without the third column.
_FOLLOWERS = (
    (0.12, 0.72, 0.14, 0.02),
    (0.54, 0.30, 0.14, 0.02),
    (0.26, 0.70, 0.01, 0.03),
    (0.27, 0.49, 0.04, 0.20),
)
_CLASS_OF = {symbol: number for number, members in enumerate(_CLASSES) for symbol in members}


def _table(rows: Sequence[Sequence[float]]) -> list[dict[int, float]]:
    """Return the cost in bits of every character, by the class of the character before it."""
    return [
        {
            symbol: -log2(share / sum(row) * (count / sum(members.values()) + 1 / len(members)) / 2)
            for share, members in zip(row, _CLASSES, strict=True)
            for symbol, count in members.items()
            if share
        }
        for row in rows
    ]


_SEPARATED = _table(_FOLLOWERS)
_UNSEPARATED = _table([(vowel, consonant, 0, other) for vowel, consonant, _, other in _FOLLOWERS])


def describe_lookalike(raw: bytes) -> str | None:
    """Return what a would-be key of 32 bytes looks like.

    Returns:
        A predicate for an error message ("repeats a pattern"), or `None` for what may well be random.
    """
    text = urlsafe_b64encode(raw)[:42]
    for symbols in (text, raw):
        if _repeats(symbols) or len(set(symbols)) <= _DISTINCT:
            return "repeats a pattern"
        if len({(b - a) % 256 for a, b in pairwise(symbols)}) <= _STEPS:
            return "is a regular sequence"
    if _PLAIN.issuperset(raw) or _prose_bits(raw) <= _PROSE_BITS_OF_RAW:
        return "decodes to text, not to random bytes"
    if _prose_bits(text) <= _PROSE_BITS_OF_TEXT:
        return "is a passphrase"
    return None


def _repeats(symbols: bytes) -> bool:
    periods = range(1, int(len(symbols) * _PERIOD) + 1)
    return any(symbols[period:] == symbols[:-period] for period in periods)


def _prose_bits(symbols: bytes) -> float:
    separators = _SEPARATORS.intersection(symbols)
    table = _SEPARATED if separators else _UNSEPARATED
    # With several of them, spaces separate words, and the others are taken as what else there is.
    if len(separators) == 1:
        symbols = symbols.replace(bytes(separators), b" ")
    # Prose begins as if after a space.
    cost, before = 0.0, 2
    for symbol in symbols:
        if symbol not in table[before]:
            return inf
        cost += table[before][symbol]
        before = _CLASS_OF[symbol]
    return cost


_WORD = re.compile(r"\S+")
_PART = re.compile(r"[A-Za-z0-9]+")
_NAME = re.compile(
    r"(?:[A-Z]{1,20}|[A-Z]?[a-z]{1,20}|[A-Z]?[a-z]{2,20}(?:[A-Z][a-z]{2,20})+)[0-9]{0,4}"
    r"|[0-9]{1,14}"
    r"|[a-z]?[0-9]{1,2}[a-z]{1,2}"
    # Of which what is wrong is told more often than not.
    r"|SQLAlchemy|SQLite|(?:My|Postgre)SQL|MariaDB"
)
_CONCEALED = "(not shown: it may be a key)"


def conceal_keys(text: str) -> str:
    """Return a text for people to read, without words that may be a key or part of one.

    For messages that quote the configuration. Keys in either base64 alphabet or in hexadecimal are hidden,
    even if they were cut, mistyped or appended to something else. When in doubt, it hides the word: a file
    whose name is a hash is not shown, either.

    Args:
        text: The text. Words are separated by white space.
    """
    return _WORD.sub(_conceal, text)


def _conceal(word: re.Match[str]) -> str:
    # What cannot be printed would part a key into harmless pieces, and NFKD makes ASCII of "wide" letters.
    parts = _PART.findall(normalize("NFKD", word[0]))
    return word[0] if word[0].isprintable() and all(map(_NAME.fullmatch, parts)) else _CONCEALED
