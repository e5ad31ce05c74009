"""Cookie headers that libFuzzer makes, guided by the code of ours that they reach: all are refused.

hatch test packages/pyramid-glue/tests/test_guided_fuzzing.py -m slow -n 0
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_inputs_that_are_guided_by_the_code_they_reach_are_refused(tmp_path, capsys):
    """Set WEBSESSION_FUZZ_SEED and WEBSESSION_FUZZ_GUIDED_INPUTS for another run."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: it has wheels for Linux on x86-64 only")
    seed = os.environ.get("WEBSESSION_FUZZ_SEED", "20250625")
    inputs = os.environ.get("WEBSESSION_FUZZ_GUIDED_INPUTS", "300000")
    script = Path(__file__).with_name("fuzz_cookies.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path, inputs, seed], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    assert f"{inputs} inputs refused, nothing stored" in done.stdout
    (time,) = re.findall(r"Done \d+ runs in \d+ second", done.stderr)
    (reached,) = re.findall(r"DONE +(cov: \d+ ft: \d+)", done.stderr)
    with capsys.disabled():
        sys.stdout.write(f"\n{time}(s), {reached}, seed {seed}\n")
