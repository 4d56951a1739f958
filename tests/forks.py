"""A process that does not load its libraries anew: a fork of this one, which has them.

It has its own output, folder, variables and exit status, and is killed as any process is. An SQLite store that it opens must not
be open here when it begins: a fork inherits what SQLite believes of its locks.
"""

import gc
import os
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from subprocess import TimeoutExpired


class Forked:
    """Something that is done in a fork, in a folder and with exactly these variables, or those of this process."""

    def __init__(self, work, cwd=None, env=None):
        self.returncode, self.said = None, (tempfile.TemporaryFile(), tempfile.TemporaryFile())
        self.pid = os.fork()
        if self.pid == 0:
            be_process(work, self.said, cwd, env)

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

    def poll(self) -> int | None:
        """Its exit status, if it has ended."""
        try:
            return self.wait(0)
        except TimeoutExpired:
            return None

    def send_signal(self, number) -> None:
        """A signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with -9."""
        self.send_signal(signal.SIGKILL)

    def wait_for(self, line: bytes, timeout=60) -> None:
        """Wait until it has said a line on its standard output."""
        until, told = time.monotonic() + timeout, self.said[0].fileno()
        while line not in os.pread(told, 1 << 20, 0).splitlines():  # its place in the file is the fork's, too
            if self.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"it never said {line}: {self.communicate(1)}")
            time.sleep(0.01)

    def communicate(self, timeout=None) -> tuple[bytes, bytes]:
        """What it has said on both streams, once it has ended."""
        self.wait(timeout)
        return tuple(stream.seek(0) or stream.read() for stream in self.said)


def be_process(work, streams, cwd, env):
    """Turn a fork into a process that does its work; never returns."""
    status = 70
    try:
        gc.freeze()  # what it has inherited is not its to close
        os.setsid()
        for number, stream in enumerate(streams, 1):
            os.dup2(stream.fileno(), number)
        sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
        if cwd is not None:
            os.chdir(cwd)
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        warnings.simplefilter("ignore")  # those of pytest are shown
        try:
            work()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)
