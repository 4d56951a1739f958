"Lets nbval run the notebooks as nbdev stores them, in a plain kernel."

import subprocess
import sys
from pathlib import Path

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


def pytest_configure(config):
    "The libraries of warm kernels are loaded while the notebooks are still being read."
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
