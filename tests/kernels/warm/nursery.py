"""Load the libraries once, then fork a kernel for whoever asks; go when nobody has asked for a while.

A line from `start.py` is one kernel: it says where the kernel's ports are, which folder and which variables it has, is told its process,
then its exit status, and takes the kernel along when it breaks off.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress

IDLE_SECONDS = 90  # reports of the tests come farther apart than notebooks
LIBRARIES = (
    "IPython.core.interactiveshell ipykernel.kernelapp ipykernel.ipkernel ipykernel.debugger pandas numpy scipy.stats "
    "sqlalchemy.dialects.postgresql sqlalchemy.dialects.sqlite duckdb structlog pydantic_settings tqdm.auto torch lightning "
    "sklearn.linear_model sklearn.metrics sklearn.isotonic mlflow mlflow.store.tracking.sqlalchemy_store altair nbclient "
    "papermill nbconvert ipywidgets anywidget typer yaml alembic.command psycopg captum.attr"
).split()


def load():
    "Import what can be imported; what a notebook lacks it says itself."
    gc.set_threshold(
        20_000, 20, 20
    )  # of the kernels, too: a fifth of an import goes into looking for garbage
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def be_kernel(asked):
    "Turn this process into the kernel that was asked for; never returns."
    import numpy
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update({**asked["env"], "JPY_PARENT_PID": str(os.getppid())})
    sys.argv = ["ipykernel_launcher", "-f", asked["file"]]
    sys.path[0] = ""
    numpy.random.seed()
    IPKernelApp.launch_instance()
    os._exit(0)


def keep(line):
    "Fork a kernel, say its process, wait for it, and end it when whoever asked is gone."
    words = line.makefile().readline()
    if not words:  # somebody only looked whether the nursery is open
        os._exit(0)
    asked = json.loads(words)
    kernel = os.fork()
    if kernel == 0:
        line.close()
        be_kernel(asked)
    line.sendall(f"{kernel}\n".encode())
    ended = os.pidfd_open(kernel)
    ready, _, _ = select.select([line, ended], [], [])
    if ended not in ready:
        os.kill(kernel, signal.SIGKILL)
    _, status = os.waitpid(kernel, 0)
    with suppress(OSError):
        line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def serve(file):
    "Fork a keeper for each line until none has come for a while."
    load()
    with suppress(FileNotFoundError):
        os.unlink(file)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(file)
    door.listen(64)
    door.settimeout(IDLE_SECONDS)
    while True:
        try:
            line, _ = door.accept()
        except TimeoutError:
            break
        line.setblocking(True)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            door.close()
            keep(line)
        line.close()
    os.unlink(file)


if __name__ == "__main__":
    serve(sys.argv[1])
