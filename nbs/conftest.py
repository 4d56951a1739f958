"Lets nbval run the notebooks as nbdev stores them, in a plain kernel."

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbval.kernel
from jupyter_client.manager import KernelManager

LONGEST = (
    "99_tour",
    "index",
    "96_handouts.bench",
    "96_jobs.worker",
    "95_handouts.week",
    "69_benchmark.oulad",
    "69_backtest.api",
    "69_tuning.trials",
    "67_backtest.models",
    "54_training.estimator",
    "22_ingest.load",
)


WARM = Path(__file__).parent.parent / "tests" / "kernels" / "warm"


class SocketKernelManager(KernelManager):
    """Speaks with its kernel over sockets in a folder of their own.

    Ports are chosen here and bound by the kernel a moment later; among the hundreds of kernels of one run, one found its port taken
    in between and died before its first word.
    """

    def __init__(self, **options):
        super().__init__(**options)
        if sys.platform != "win32":  # which has no such sockets
            folder = tempfile.mkdtemp(prefix="edupulse-")
            self.connection_file, self.transport = f"{folder}/kernel.json", "ipc"

    def cleanup_connection_file(self):
        "The folder goes with its file."
        super().cleanup_connection_file()
        if self.transport == "ipc":
            shutil.rmtree(Path(self.connection_file).parent, ignore_errors=True)


def pytest_configure(config):
    "Kernels speak over sockets, and the libraries of warm kernels are loaded while the notebooks are still being read."
    nbval.kernel.KernelManager = SocketKernelManager
    if config.getoption("nbval_kernel_name", None) == "warm" and not hasattr(config, "workerinput"):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen([sys.executable, "-c", "import start; start.reach()"], cwd=WARM, **quiet)


def pytest_collection_modifyitems(items):
    "nbdev nulls execution counts, which nbval reads as never run; and its `slow` and `gpu` cells are not for every day."
    place = {name: number for number, name in enumerate(LONGEST)}  # so that the processes end together
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is None:
            continue
        cell.execution_count = cell.execution_count or 1
        directives = {line[2:].strip() for line in cell.source.splitlines() if line.startswith("#|")}
        if directives & {"slow", "gpu", "eval: false"}:
            item.options["skip"] = True
