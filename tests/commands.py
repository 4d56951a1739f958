"""`edupulse` as a scheduler runs it, without loading its libraries anew: a fork of this process, which has them.

The fork has its own folder, variables, output and exit status, as any process has. What a command loads by itself is for tests that
start a whole Python; they are in `test_cli` too.
"""

import os
import select
import signal
import sys
import tempfile
import warnings
from subprocess import CompletedProcess, TimeoutExpired
from types import ModuleType

import torch  # noqa: F401  (the doctor asks it for a card)

import edupulse.faces.doctor
import edupulse.faces.reports
import edupulse.features.weekly
import edupulse.ingest.load
import edupulse.store.migrate
import edupulse.store.snapshot  # noqa: F401  (each is loaded here, once)
from edupulse.faces.cli import main


def run_forked(words, cwd, env, timeout=120) -> CompletedProcess:
    """What `edupulse` with these words says and how it ends, in a folder and with exactly these variables."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as told:
        pid = os.fork()
        if pid == 0:
            be_command([str(word) for word in words], (out, told), cwd, env)
        ended = os.pidfd_open(pid)
        in_time, _, _ = select.select([ended], [], [], timeout)
        os.close(ended)
        if not in_time:
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if not in_time:
            raise TimeoutExpired(words, timeout)
        said = [stream.seek(0) or stream.read().decode() for stream in (out, told)]
    return CompletedProcess(words, status, *said)


def be_command(words, streams, cwd, env):
    """Turn a fork into the command; never returns."""
    status = 70
    try:
        os.setsid()
        for number, stream in enumerate(streams, 1):
            os.dup2(stream.fileno(), number)
        sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        warnings.simplefilter("ignore")  # those of pytest are shown
        sys.argv, sys.modules["__main__"] = ["-c", *words], ModuleType("__main__")  # as `python -c` has them
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)
