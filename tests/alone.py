"""One test that asks for a fixture of `conftest.py`, in a pytest of its own, for what a machine lacks is said by a whole run."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def asked_alone(fixture: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """What pytest says, with these variables, of a test in a folder that asks for the fixture."""
    (file := folder / "test_alone.py").write_text(f"def test_alone({fixture}):\n    pass\n", encoding="utf-8")
    words = ["-q", "-rs", "-p", "no:cacheprovider", "-p", "conftest", "-c", TESTS.parent / "pyproject.toml"]
    apart = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(TESTS), **variables}  # half of the time
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words, file],
        capture_output=True,
        text=True,
        env={**os.environ, **apart},
        cwd=TESTS.parent,
        timeout=120,
    )
