"""``python -m websession_crypto`` prints a new secret key."""

import argparse
import sys

from .keys import generate_secret_key


def main() -> None:
    """Print one key and a line break to standard output."""
    argparse.ArgumentParser(
        prog="python -m websession_crypto",
        description="Print a new secret key: 43 characters, from the operating system's random generator.",
    ).parse_args()
    sys.stdout.write(generate_secret_key() + "\n")


if __name__ == "__main__":
    main()
