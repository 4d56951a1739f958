"""The kernels that the notebook tests fork: the asker's folder and variables, libraries but not EduPulse, an end with the asker."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

WARM = Path(__file__).parent / "kernels" / "warm"
FEW = "import sys, nursery; nursery.LIBRARIES = ('ipykernel.kernelapp', 'yaml'); nursery.serve(sys.argv[1])"


@pytest.fixture
def place(tmp_path, monkeypatch):
    "Where kernels look for a nursery, in this test alone; near the root, for a socket's name has 107 bytes at most."
    monkeypatch.syspath_prepend(str(WARM))
    import start

    with tempfile.TemporaryDirectory(prefix="n-") as folder:
        monkeypatch.setenv("JUPYTER_PATH", str(WARM.parents[1]))
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr("tempfile.tempdir", None)
        yield start.place()


@pytest.fixture
def nursery(place):
    "A nursery with few libraries."
    import start

    file = place / "socket"
    opened = subprocess.Popen([sys.executable, "-c", FEW, str(file)], cwd=WARM)
    while (line := start.connect(file)) is None:
        assert opened.poll() is None, "the nursery did not open"
        time.sleep(0.02)
    line.close()
    yield opened
    opened.kill()
    opened.wait()


@pytest.fixture
def kernel(nursery, tmp_path, monkeypatch):
    "A kernel that was asked for as nbval asks, and who talks to it."
    from jupyter_client.manager import start_new_kernel

    monkeypatch.setenv("ASKED", "yes")
    manager, client = start_new_kernel(kernel_name="warm", cwd=str(tmp_path))
    yield manager, client
    client.stop_channels()
    if manager.has_kernel:
        manager.shutdown_kernel(now=True)


def said(client, code):
    "What a cell prints."
    words = []
    client.execute_interactive(
        code, timeout=60, output_hook=lambda message: words.append(message["content"].get("text", ""))
    )
    return "".join(words).strip()


def test_a_kernel_is_forked_with_libraries_and_without_edupulse(kernel, nursery, tmp_path):
    _, client = kernel
    ask = "import os, sys; print(os.getcwd(), os.environ['ASKED'], 'yaml' in sys.modules, 'edupulse' in sys.modules, os.getpid())"
    *rest, process = said(client, ask).split()
    assert rest == [str(tmp_path), "yes", "True", "False"]
    assert nursery.pid in [each.pid for each in psutil.Process(int(process)).parents()]
    assert said(client, "%timeit -n1 -r1 pass").count("loop") and said(client, "!echo out") == "out"


def test_a_kernel_ends_with_whoever_asked_for_it(kernel):
    manager, client = kernel
    process = psutil.Process(int(said(client, "import os; print(os.getpid())")))
    manager.provisioner.process.kill()
    assert process.wait(10) is None or not process.is_running()
    assert not psutil.pid_exists(process.pid)


ASKER = """
import sys, time
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="warm")
client.execute_interactive("import os; print(os.getpid(), flush=True)")
sys.stdout.flush()
time.sleep(60)
"""


def test_a_kernel_ends_when_whoever_asked_for_it_was_killed(nursery):
    with subprocess.Popen([sys.executable, "-c", ASKER], stdout=subprocess.PIPE, text=True) as asker:
        process = psutil.Process(int(asker.stdout.readline()))
        asker.kill()
    assert process.wait(10) is None or not process.is_running()


def test_a_kernel_can_be_interrupted_and_shut_down(kernel):
    manager, client = kernel
    process = psutil.Process(int(said(client, "import os; print(os.getpid())")))
    asked = client.execute("import time; time.sleep(60)")
    time.sleep(0.5)
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=20)
    assert reply["parent_header"]["msg_id"] == asked and reply["content"]["ename"] == "KeyboardInterrupt"
    manager.shutdown_kernel()
    assert not process.is_running()


def test_without_a_nursery_a_plain_kernel_is_started(place, tmp_path):
    from jupyter_client.manager import start_new_kernel

    place.rmdir()
    place.write_text("no folder")
    manager, client = start_new_kernel(kernel_name="warm", cwd=str(tmp_path))
    try:
        assert said(client, "import sys; print('torch' in sys.modules)") == "False"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
