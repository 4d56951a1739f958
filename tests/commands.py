"""`edupulse` as a scheduler runs it, without loading its libraries anew: in a fork of this process, which has them.

What a command loads by itself is for tests that start a whole Python; they are in `test_cli` too.
"""

import sys
from subprocess import CompletedProcess, TimeoutExpired
from types import ModuleType

import torch  # noqa: F401  (the doctor asks it for a card)
from forks import Forked

import edupulse.faces.doctor
import edupulse.faces.reports
import edupulse.features.weekly
import edupulse.ingest.load
import edupulse.jobs.worker
import edupulse.store.migrate
import edupulse.store.snapshot  # noqa: F401  (each is loaded here, once)
from edupulse.faces.cli import main


def begin_command(words, cwd, env) -> Forked:
    """`edupulse` with these words, in a folder and with exactly these variables."""

    def command():
        sys.argv = ["-c", *map(str, words)]  # as `python -c` has them
        sys.modules["__main__"] = ModuleType("__main__")
        main()

    return Forked(command, cwd, env)


def run_forked(words, cwd, env, timeout=120) -> CompletedProcess:
    """What `edupulse` with these words says and how it ends."""
    command = begin_command(words, cwd, env)
    try:
        said = [stream.decode() for stream in command.communicate(timeout)]
    except TimeoutExpired:
        command.kill()
        command.wait()
        raise TimeoutExpired(words, timeout) from None
    return CompletedProcess(words, command.returncode, *said)
