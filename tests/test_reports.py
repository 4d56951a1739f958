"A report that is killed, misasked or fails leaves nothing that looks finished."

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from edupulse.faces.parameters import parameters_of
from edupulse.faces.reports import check_ran, run_report, runs
from edupulse.settings import Settings


@pytest.fixture
def home(tmp_path):
    return Settings(home=tmp_path / "home", database_url="")


@pytest.fixture
def write(tmp_path):
    "A function that writes a report; its first cell is tagged `parameters`."

    def write(name, *cells, tags=("parameters",)):
        folder = tmp_path / "reports"
        folder.mkdir(exist_ok=True)
        made = [nbformat.v4.new_code_cell(source) for source in cells]
        for cell, tag in zip(made, tags, strict=False):
            cell.metadata["tags"] = [tag]
        kernel = {"name": "python3", "display_name": "python3", "language": "python"}
        nbformat.write(
            nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}), folder / f"{name}.ipynb"
        )
        return folder

    return write


def finished(folder):
    "Files with a final name below a folder of runs."
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "failed-")) for part in path.relative_to(folder).parts)
    ]


SLOW = """
import sys
from pathlib import Path
from edupulse.faces.reports import run_report
from edupulse.settings import Settings
home, reports, out = map(Path, sys.argv[1:])
run_report("slow", {"seconds": 60.0}, settings=Settings(home=home), reports=reports, out=out)
"""


def test_a_killed_run_leaves_no_finished_file(home, write, tmp_path):
    reports = write("slow", "seconds = 0.1  # to wait", "print('begun')", "import time; time.sleep(seconds)")
    out, place = tmp_path / "out", home.home / "runs" / "slow"
    command = [sys.executable, "-c", SLOW, str(home.home), str(reports), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not any("begun" in file.read_text() for file in place.glob(".*/slow.ipynb")):
        assert time.monotonic() < deadline and process.poll() is None, "the report never began"
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not finished(home.home / "runs") and not out.exists() and runs(home).empty

    again = run_report("slow", settings=home, reports=reports, out=out)
    assert sorted(file.name for file in out.iterdir()) == ["slow.html", "slow.ipynb"]
    assert [path for path in place.iterdir() if path.name.startswith("failed-")], (
        "the killed run is set aside"
    )
    assert list(runs(home)["id"]) == [again.id]


def test_what_was_asked_is_what_ran(home, write):
    reports = write(
        "ask", "members = 3  # networks\nas_of = None  # first day not seen", "print(members, as_of)"
    )
    run = run_report("ask", {"members": "4", "as_of": "2024-03-01"}, settings=home, reports=reports)
    assert "4 2024-03-01" in run.html.read_text(encoding="utf-8")
    check_ran(run.notebook, {"members": 4, "as_of": "2024-03-01"})
    with pytest.raises(RuntimeError, match="other parameters"):
        check_ran(run.notebook, {"members": 3, "as_of": "2024-03-01"})


def test_a_lost_or_second_tag_stops_before_the_run(home, write):
    for name, tags in {"none": (), "two": ("parameters", "parameters")}.items():
        reports = write(name, "members = 3", "seed = 1", tags=tags)
        with pytest.raises(ValueError, match="exactly one"):
            run_report(name, {"members": 4}, settings=home, reports=reports)
    assert not list((home.home / "runs").glob("*/*"))


@pytest.mark.parametrize(
    "given",
    [
        {"member": 4},
        {"members": "many"},
        {"members": True},
        {"members = 1; import os": "3"},
        {"as_of": "01.03.2024"},
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(home, write, given):
    reports = write("ask", "members = 3  # networks\nas_of = None  # first day not seen")
    with pytest.raises(ValueError) as refused:
        run_report("ask", given, settings=home, reports=reports)
    assert "\n" not in str(refused.value) and not list((home.home / "runs").glob("*/*"))


@pytest.mark.parametrize(
    "value", ["'; import os; os.remove('x'); '", "{__class__}", "../../../etc", 'a\nb"\\']
)
def test_a_value_is_text_and_nothing_else(home, write, value):
    reports = write("ask", "label_policy = 'standard'  # which exits count", "print(repr(label_policy))")
    run = run_report("ask", {"label_policy": value}, settings=home, reports=reports)
    executed = nbformat.read(run.notebook, 4)
    assert executed.cells[-1].outputs[0].text.strip() == repr(value)
    assert run.folder.parent == home.home / "runs" / "ask"


def test_a_failing_cell_is_one_line_and_is_kept(home, write, tmp_path):
    reports = write("fails", "members = 3  # networks", "{}['grade_level']")
    with pytest.raises(RuntimeError, match="^report fails stopped: KeyError: '…' .kept: ") as stopped:
        run_report("fails", settings=home, reports=reports, out=tmp_path / "out")
    assert "\n" not in str(stopped.value)
    (kept,) = (home.home / "runs" / "fails").iterdir()
    assert {"error.txt", "fails.ipynb"} == {path.name for path in kept.iterdir()}
    assert "Traceback" in (kept / "error.txt").read_text() and not (tmp_path / "out").exists()


def test_a_long_line_of_ours_is_told_to_its_end(home, write):
    sentence = f"inputs that know the future: {', '.join(f'input_{n}' for n in range(40))}; mend its SQL, and build again"
    with pytest.raises(RuntimeError, match="mend its SQL, and build again"):
        run_report(
            "long",
            settings=home,
            reports=write("long", "members = 3  # networks", f"raise ValueError({sentence!r})"),
        )


def test_what_is_shown_before_the_page_is_in_the_notebook_alone(home, write):
    reports = write(
        "early",
        "members = 3  # networks",
        "'the ' + 'plan'",
        "'the ' + 'page'",
        tags=("parameters", "before-the-page"),
    )
    run = run_report("early", settings=home, reports=reports)
    assert "the plan" in run.notebook.read_text() and "the page" in run.html.read_text()
    assert "the plan" not in run.html.read_text()


def test_a_kernel_that_dies_is_said(home, write):
    reports = write("dies", "members = 3  # networks", "import os; os._exit(9)")
    with pytest.raises(RuntimeError, match="its kernel died"):
        run_report("dies", settings=home, reports=reports)
    assert not finished(home.home / "runs")


def test_the_kernel_is_this_python_even_if_another_is_installed(home, write, tmp_path, monkeypatch):
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        '{"argv": ["/no/such/python", "{connection_file}"], "display_name": "other"}'
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    reports = write("where", "members = 3  # networks", "import sys; print(sys.executable)")
    run = run_report("where", settings=home, reports=reports)
    assert nbformat.read(run.notebook, 4).cells[-1].outputs[0].text.strip() == sys.executable


def test_a_home_with_braces_is_a_folder_like_any_other(tmp_path, write):
    home = Settings(home=tmp_path / "{members}", database_url="")
    run = run_report("ask", settings=home, reports=write("ask", "members = 3  # networks"))
    assert run.html.is_file() and "{members}" in str(run.html)


def test_progress_stays_out_of_the_page(home, write):
    reports = write(
        "noisy", "members = 3  # networks", "import sys; print('half way', file=sys.stderr); print('done')"
    )
    page = run_report("noisy", settings=home, reports=reports).html.read_text(encoding="utf-8")
    assert "done" in page and "half way" not in page
    assert "http" not in page.split("</style>")[1], "a page asks nobody for anything"


def test_every_shipped_report_can_be_asked():
    from edupulse.faces.parameters import find_report, report_names

    for name in report_names():
        assert parameters_of(find_report(name))
