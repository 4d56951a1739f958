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
import edupulse.jobs.worker
import edupulse.store.migrate
import edupulse.store.snapshot  # noqa: F401  (each is loaded here, once)
from edupulse.faces.cli import main


class Forked:
    """A command in a fork, with a folder and exactly these variables: it speaks, ends and is killed as any process.

    An SQLite store that it opens must not be open here when it is forked: a fork inherits what SQLite believes of its locks.
    """

    def __init__(self, words, cwd, env):
        self.returncode, self.said = None, (tempfile.TemporaryFile(), tempfile.TemporaryFile())
        self.pid = os.fork()
        if self.pid == 0:
            be_command([str(word) for word in words], self.said, cwd, env)

    def wait(self, timeout=None) -> int:
        """Its exit status, once it has ended."""
        if self.returncode is None:
            ended = os.pidfd_open(self.pid)
            in_time, _, _ = select.select([ended], [], [], timeout)
            os.close(ended)
            if not in_time:
                raise TimeoutExpired(self.pid, timeout)
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def send_signal(self, number) -> None:
        """A signal, if it has not ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with -9."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=None) -> tuple[bytes, bytes]:
        """What it has said on both streams, once it has ended."""
        self.wait(timeout)
        return tuple(stream.seek(0) or stream.read() for stream in self.said)


def run_forked(words, cwd, env, timeout=120) -> CompletedProcess:
    """What `edupulse` with these words says and how it ends, in a folder and with exactly these variables."""
    command = Forked(words, cwd, env)
    try:
        said = [stream.decode() for stream in command.communicate(timeout)]
    except TimeoutExpired:
        command.kill()
        command.wait()
        raise TimeoutExpired(words, timeout) from None
    return CompletedProcess(words, command.returncode, *said)


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
