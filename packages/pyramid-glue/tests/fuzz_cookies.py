"""Coverage-guided fuzzing of the cookie header, through the full stack; test_guided_fuzzing.py runs it.

libFuzzer (by atheris) makes the inputs: it keeps those that reach code of ours that none has reached before,
and changes them further. A process of its own, because it ends the process.

    python fuzz_cookies.py FOLDER RUNS SEED
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["websession_core", "websession_crypto", "websession_models", "websession_pyramid"]
):
    from hostile_cookies import Target
    from site_under_test import SECRET_KEY, Site
    from websession_core import Ticket
    from websession_crypto import Keyring, TokenCodec
    from websession_models import fresh_session_id

_SEED_CLOCK = 1_800_000_000


class Fuzzer:
    """Aims every input at an application, and counts.

    Args:
        folder: Where the database and the corpus are.
        runs: How many inputs there will be.
    """

    def __init__(self, folder: Path, runs: int) -> None:
        url = f"sqlite:///{folder / 'fuzz.sqlite'}"
        self._target = Target(lambda **options: Site(url=url, **options))
        self._codec = TokenCodec(Keyring.from_text(SECRET_KEY), purpose="websession")
        self._runs, self._count = runs, 0
        self.corpus = folder / "corpus"
        self.corpus.mkdir()
        for number, seed in enumerate(self._seeds()):
            (self.corpus / f"seed-{number}").write_bytes(seed)

    def _seeds(self) -> list[bytes]:
        # Nobody's tokens: what is not changed at all must be refused as well.
        stranger = Ticket(fresh_session_id(), issued_at=_SEED_CLOCK).to_bytes()
        token = self._codec.encrypt(stranger).encode()
        tokens = [each.encode() for each in (*self._target.foreign, *self._target.no_tickets)]
        return [
            *(b"\0websession=" + each for each in (token, *tokens)),
            *(b"\1" + each for each in (token, token[:-1], b'"' + token + b'"', b"")),
            b"\2" + b"\n".join([token, tokens[0], token]),
            b"\0other=\xff\xfe; websession=" + token + b"; websession=" + tokens[0],
            b"\3" + stranger,
            b"\3" + stranger[:-1],
        ]

    def _header(self, data: bytes) -> str:
        """Return the cookie header that an input stands for; its first byte says how."""
        kind, rest = (data[0] % 4, data[1:]) if data else (0, b"")
        if kind == 0:
            return rest.decode("latin-1")
        if kind == 1:
            return f"websession={rest.decode('latin-1')}"
        if kind == 2:
            return "; ".join(f"websession={part}" for part in rest.decode("latin-1").split("\n"))
        # An authentic token of whatever it may hold: no client can make it, another release of ours could.
        return f"websession={self._codec.encrypt(rest[:500])}"

    def __call__(self, data: bytes) -> None:
        """Check that one input is refused."""
        self._count += 1
        header = self._header(data)
        if not any(token in header for token in self._target.genuine):
            self._target.refuses(header)
        if self._count == self._runs:
            self._target.opens_what_is_genuine()
            sys.stdout.write(f"{self._count} inputs refused, nothing stored\n")
            sys.stdout.flush()


def main() -> None:
    """Fuzz."""
    folder, runs, seed = sys.argv[1:]
    fuzzer = Fuzzer(Path(folder), int(runs))
    options = [f"-runs={runs}", f"-seed={seed}", "-max_len=4400", "-len_control=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(fuzzer.corpus)], fuzzer)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
