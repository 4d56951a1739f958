"""Start a kernel for the notebook tests: forked from a process that has the libraries loaded, not loaded anew.

`make notebooks` starts hundreds of kernels, and half of its time went into importing the same libraries in each. This process
(standard library alone, thirty milliseconds) asks `nursery.py` for a kernel and is, for whoever started it, the kernel: it lasts as long,
passes signals on, and takes it along when it is killed. Only libraries are loaded beforehand, never EduPulse itself. Where
no nursery can be had, a kernel is started in the plain way.
"""

import fcntl
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

READ_ONCE = (
    "PYTHON",
    "OMP_",
    "MKL_",
    "MPL",
    "LD_",
    "TZ",
    "LANG",
    "LC_",
)  # what an interpreter or a library reads when it starts


def place():
    "The private folder of the nursery for this interpreter and these variables."
    read_once = sorted((name, value) for name, value in os.environ.items() if name.startswith(READ_ONCE))
    key = hashlib.sha256(repr((sys.executable, read_once)).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"edupulse-nursery-{os.getuid()}-{key}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise OSError(f"{folder} belongs to somebody else")
    return folder


def connect(file):
    "A line to the nursery, or None when nobody is there."
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.connect(str(file))
        return line
    except OSError:
        line.close()
        return None


def reach(seconds=60):
    "A line to the nursery, which is opened when there is none; one opens it, the others wait."
    folder = place()
    file = folder / "socket"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = connect(file)
        if line is None:
            nursery = Path(__file__).with_name("nursery.py")
            quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            opened = subprocess.Popen(
                [sys.executable, str(nursery), str(file)], start_new_session=True, **quiet
            )
            until = time.monotonic() + seconds
            while (line := connect(file)) is None and opened.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
    return line


def plain(connection_file):
    "Become a kernel as it is started everywhere."
    os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", "-f", connection_file])


def main(connection_file):
    "Be a kernel until it ends."
    try:
        line = reach()
        line.sendall(
            json.dumps({"file": connection_file, "cwd": os.getcwd(), "env": dict(os.environ)}).encode()
            + b"\n"
        )
        answers = line.makefile()
        pid = int(answers.readline())
    except (OSError, ValueError, AttributeError) as error:
        print(f"no nursery ({error}): a plain kernel is started", file=sys.stderr)
        plain(connection_file)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda number, frame: os.kill(pid, number))
    asker = os.getppid()
    while not select.select([line], [], [], 1)[0]:
        if os.getppid() != asker:  # nobody is left to shut the kernel down
            os.kill(pid, signal.SIGKILL)
    status = int(answers.readline() or -signal.SIGKILL)
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main(sys.argv[1])
