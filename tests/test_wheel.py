"The wheel carries all that the package needs: it works far from the checkout, without it."

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    "A wheel built from a copy of what git would hand over; the checkout stays as it is."
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("data/", "tests/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    alone = ["--no-build-isolation"] if find_spec("hatchling") else []
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        *alone,
        "--wheel-dir",
        built,
        source,
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(built.glob("edupulse-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    "A function that runs a program of an environment in which the wheel is installed."
    place = tmp_path_factory.mktemp("elsewhere")
    venv.create(place / "env", with_pip=False, symlinks=True)
    python = place / "env" / "bin" / "python"
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        str(wheel),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # The libraries are those of this environment. A path line reads no .pth file there, so the editable install,
    # which is one, stays invisible.
    libraries = place / "env" / "lib" / version / "site-packages" / "libraries.pth"
    libraries.write_text(sysconfig.get_path("purelib") + "\n")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("EDUPULSE_", "PYTHON"))},
        "EDUPULSE_HOME": str(place / "home"),
        "JUPYTER_PATH": str(Path(sys.prefix) / "share" / "jupyter"),
    }

    def run(program, *words, check=True):
        done = subprocess.run(
            [str(python.parent / program), *map(str, words)],
            capture_output=True,
            text=True,
            cwd=place,
            env=environment,
            timeout=600,
        )
        assert done.returncode == 0 or not check, done.stderr[-2000:]
        return done

    return run


def test_the_wheel_holds_the_package_its_sql_and_its_reports(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, ending in (("sql", ".sql"), ("reports", ".ipynb"), ("sql/migrations", ".py")):
        shipped = {f"edupulse/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob(f"*{ending}")}
        assert shipped <= names, f"not in the wheel: {sorted(shipped - names)}"
    assert any(name.endswith(".sql") for name in names)
    assert not [name for name in names if name.startswith(("nbs/", "tests/", "data/"))]


def test_it_is_not_the_checkout_that_runs(installed):
    code = (
        "import edupulse; from edupulse.resources import resource; print(edupulse.__file__, resource('sql'))"
    )
    package, sql = installed("python", "-c", code).stdout.split()
    assert not package.startswith(str(ROOT)) and Path(sql) == Path(package).parent / "sql"


def test_the_commands_work_from_the_wheel(installed):
    assert "demo" in installed("edupulse", "--help").stdout
    bare = installed("edupulse", "doctor", check=False)
    assert bare.returncode == 1 and "→ edupulse init" in bare.stdout and "Traceback" not in bare.stderr
    installed("edupulse", "init")
    well = installed("edupulse", "doctor")
    assert "Nothing stops the job." in well.stdout


def test_a_district_is_made_from_the_wheel(installed):
    assert "attendance" in installed("edupulse", "synth", "records", "--students", 200, "--years", 1).stdout


@pytest.mark.soak
def test_the_whole_job_runs_from_the_wheel(installed):
    told = installed("edupulse", "demo", "--students", 300, "--out", "demo").stdout
    pages = [Path(line.split(": ", 1)[1]) for line in told.splitlines() if line.endswith(".html")]
    assert len(pages) == 2 and all(page.is_file() for page in pages)
    again = installed("edupulse", "demo", "--students", 300, "--out", "demo").stdout
    assert "the store is unchanged" in again
