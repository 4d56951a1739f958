"The contract that scripts rely on: exit 0, 1 with one line, 2 for usage; results alone on standard output."

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest
import typer
from commands import run_forked

from edupulse.faces.cli import app
from edupulse.resources import resource

DOOR = [sys.executable, "-c", "from edupulse.faces.cli import main; main()"]


def commands_in(folder):
    "A function that runs a command whose home is in a folder, as a scheduler would."
    environment = {**os.environ, "EDUPULSE_HOME": str(folder / "home"), "EDUPULSE_DATABASE_URL": ""}

    def run(*words, **more):
        return subprocess.run(
            [*DOOR, *map(str, words)],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**environment, **more},
            timeout=120,
        )

    return run


def forked_in(folder):
    "The same in a fork of this process, which spares the command its libraries."
    environment = {**os.environ, "EDUPULSE_HOME": str(folder / "home"), "EDUPULSE_DATABASE_URL": ""}
    return lambda *words, **more: run_forked(words, folder, {**environment, **more})


@pytest.fixture
def edupulse(tmp_path):
    "Commands in a home of their own, which is not there yet."
    return commands_in(tmp_path)


@pytest.fixture
def forked(tmp_path):
    "The same, forked."
    return forked_in(tmp_path)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    "A home into which the small district has been imported, to copy from."
    folder = tmp_path_factory.mktemp("imported")
    done = commands_in(folder)("ingest", "csv", resource("data/samples/district"))
    assert done.returncode == 0, done.stderr
    return folder / "home"


@pytest.fixture
def filled(imported, tmp_path):
    "Commands in a home of their own that holds the small district."
    shutil.copytree(imported, tmp_path / "home")
    return forked_in(tmp_path)


@pytest.fixture
def begun(migrated_sqlite, tmp_path):
    "Commands in a home of their own, with an empty store."
    (tmp_path / "home").mkdir(mode=0o700)
    shutil.copy(migrated_sqlite, tmp_path / "home" / "edupulse.db")
    return forked_in(tmp_path)


def one_line(text):
    "The one line a person gets; anything more is a failure."
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    assert lines[0].startswith("edupulse: ")
    return lines[0]


def test_a_dry_run_on_a_bare_machine_writes_nothing_and_says_what_would_come(edupulse, tmp_path):
    sample = resource("data/samples/district")
    told = edupulse("ingest", "csv", sample, "--dry-run", "--json")
    result = json.loads(told.stdout)
    assert not list(tmp_path.iterdir()), "a home, a store or a log was made"
    assert result["changed"] == 255 and result["notes"] == [
        "there is no store yet: held against an empty one, and none was made"
    ]


def test_an_export_of_which_too_much_would_be_set_aside_wants_a_word(forked, tmp_path):
    shutil.copytree(resource("data/samples/district"), folder := tmp_path / "export")
    file = folder / "attendance.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("D-0", "D0"), encoding="utf-8")
    refused = forked("ingest", "csv", folder)
    said = one_line(refused.stderr)
    assert (
        refused.returncode == 1
        and "attendance.csv: 101 of 101 rows would be set aside" in said
        and "--accept" in said
    )
    accepted = forked("ingest", "csv", folder, "--accept")
    assert accepted.returncode == 0 and "101 quarantined" in accepted.stdout.splitlines()[-1]


def test_help_is_quick_and_names_every_command(edupulse):
    started = time.perf_counter()
    done = edupulse("--help")
    assert time.perf_counter() - started < 1.5  # about a quarter of a second on a quiet machine
    for command in (
        "init",
        "ingest",
        "features",
        "run",
        "promote",
        "synth",
        "demo",
        "dashboard",
        "doctor",
        "backup",
        "restore",
        "metrics",
        "worker",
        "jobs",
        "reports",
        "mail",
        "alerts",
        "bench",
    ):
        assert f"  {command} " in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    "words", [("--version",), ("ingest", "spreadsheet", "x"), ("run", "trian")], ids=lambda words: words[0]
)
def test_a_fork_says_what_a_whole_process_says(edupulse, forked, words):
    whole, fork = edupulse(*words), forked(*words)
    assert (fork.returncode, fork.stdout, fork.stderr) == (whole.returncode, whole.stdout, whole.stderr)


def test_help_is_whole_sentences(edupulse):
    listed = edupulse("--help").stdout.partition("Commands:")[2].strip().splitlines()
    assert len(listed) == 18 and all(line.endswith(".") and "..." not in line for line in listed)
    whole = re.compile(r"[A-Z][^.…]+\.( [A-Z][^.…]+\.)*")
    command = typer.main.get_command(app)
    for each in (command, *command.commands.values()):
        for told in (each.help, *(parameter.help for parameter in each.params)):
            assert told and whole.fullmatch(told.replace("settings.ini", "settings")), (each.name, told)


def test_help_of_a_report_names_its_parameters(edupulse):
    told = edupulse("run", "backtest", "--help")
    assert told.returncode == 0 and "capacity_share = None" in told.stdout
    assert "test periods, the latest last" in " ".join(told.stdout.split())
    assert "train" in edupulse("run", "--help").stdout.partition("Reports")[2]


def test_the_module_is_the_same_door():
    words = [sys.executable, "-m", "edupulse.faces.cli", "--version"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip()


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from edupulse.faces.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'mlflow', 'pandas', 'duckdb', 'papermill', 'lightning', 'sqlalchemy'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-command",),
        ("ingest", "spreadsheet", "folder"),
        ("ingest", "csv"),
        ("run",),
        ("run", "train", "-p", "members"),
        ("run", "train", "-p", "members=1", "-p", "members=2"),
        ("synth", "folder", "--students", "many"),
        ("bench", "patience"),
        ("features", "--as-off", "2024-01-01"),
    ],
)
def test_usage_is_2(forked, words):
    done = forked(*words)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    assert "Usage: " in done.stderr


def test_init_makes_the_store_and_makes_it_again(edupulse, tmp_path):
    assert edupulse("init").returncode == 0
    assert (tmp_path / "home" / "edupulse.db").is_file()
    assert edupulse("init").returncode == 0


@pytest.mark.parametrize(
    "words, said",
    [
        (("run", "trian"), "there is no report 'trian'"),
        (("ingest", "csv", "nowhere"), "nowhere"),
        (("ingest", "edfi", "nowhere"), "edfi"),
        (("ingest", "oneroster", "nowhere"), "oneroster"),
        (("features", "--as-of", "2024-02-30"), "2024-02-30"),
    ],
)
def test_the_inputs_fault_is_1_and_one_line(begun, words, said):
    done = begun(*words)
    assert done.returncode == 1 and done.stdout == ""
    assert said in one_line(done.stderr)


@pytest.mark.parametrize(
    "words, said, more",
    [
        (("ingest", "csv", "."), "schools.csv is not there", {}),
        (("ingest", "csv", "a_file"), "a_file: this is a file; give the folder that holds it", {}),
        (("ingest", "oulad", "a_file"), "a_file: this is a file; give the folder that holds it", {}),
        (("synth", "new", "--students", "5"), "50 or more students", {}),
        (("init",), "a_file", {"EDUPULSE_HOME": "a_file"}),
        (("init",), "/proc/home", {"EDUPULSE_HOME": "/proc/home"}),
        (
            ("init",),
            "EDUPULSE_DATABASE_URL: mysql: is not supported",
            {"EDUPULSE_DATABASE_URL": "mysql://u:pw@h/d"},
        ),
        (
            ("init",),
            "EDUPULSE_LANGUAGE: got 'fr'; allowed: en, es; correct it, or leave it out for en",
            {"EDUPULSE_LANGUAGE": "fr"},
        ),
    ],
)
def test_what_cannot_be_used_is_1_and_one_line(forked, tmp_path, words, said, more):
    (tmp_path / "a_file").touch()
    done = forked(*words, **more)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    line = one_line(done.stderr)
    assert said in line and "Value error" not in line and "pw@" not in line


@pytest.mark.parametrize(
    "words", [("init",), ("ingest", "csv", "."), ("features",), ("run", "train")], ids=lambda words: words[0]
)
def test_a_server_that_does_not_answer_is_one_line(forked, tmp_path, words):
    "Nothing listens on port 9: the sentence says what to check, holds no password, and no error file is written."
    done = forked(*words, EDUPULSE_DATABASE_URL="postgresql+psycopg://clerk:hunter2@127.0.0.1:9/x")
    assert done.returncode == 1 and done.stdout == ""
    line = one_line(done.stderr)
    assert "cannot open the PostgreSQL database x on 127.0.0.1:9: " in line and "check that it runs" in line
    assert "hunter2" not in line and not list(tmp_path.rglob("error-*"))


def test_a_wrong_variable_is_named_and_not_the_file(forked, tmp_path):
    (tmp_path / "settings.ini").write_text("[edupulse]\nn_size = 10\ncounselor_caseload = 300\n")
    done = forked("doctor", EDUPULSE_COUNSELOR_CASELOAD="abc")
    assert done.returncode == 1
    assert "environment: EDUPULSE_COUNSELOR_CASELOAD: " in done.stdout and "settings.ini" not in done.stdout
    (tmp_path / "settings.ini").write_text("[edupulse]\nn_size = ten\n")
    assert "settings.ini: n_size: " in forked("doctor").stdout


@pytest.mark.soak  # the store is waited for, for twenty seconds
def test_a_store_that_another_program_writes_to_is_waited_for_and_then_refused(edupulse, tmp_path):
    edupulse("init")
    with sqlite3.connect(tmp_path / "home" / "edupulse.db", isolation_level=None) as other:
        other.execute("begin exclusive")
        done = edupulse("ingest", "csv", resource("data/samples/district"))
        other.execute("rollback")
    waits, refusal = done.stderr.splitlines()
    assert "waiting up to 20 s" in waits and f"(process {os.getpid()})" in waits
    assert done.returncode == 1 and "another program is writing to it" in one_line(refusal)


def test_features_say_how_far_the_data_go(filled):
    beyond = filled("features", "--as-of", "2030-01-01")
    assert beyond.returncode == 0
    last = beyond.stdout.splitlines()[-1]
    assert "data go from 2023-09-05 through " in last and "no data" in last
    within = filled("features", "--as-of", "2023-09-20")
    assert within.returncode == 0 and "no data" not in within.stdout
    assert "Up to 2023-09-20 that is " in within.stdout  # served by the rows up to 2030
    before = filled("features", "--as-of", "1990-01-01")
    assert before.returncode == 1 and before.stdout == ""
    assert "give a day from 2023-09-11 to " in one_line(before.stderr)
    assert filled("features", "--as-of", "").returncode == 1


@pytest.mark.parametrize(
    "words, said",
    [
        (("score", "-p", "model", "nosuch"), "no model 'nosuch' is on record; train one: edupulse run train"),
        (("score", "-p", "as_of", "2030-01-01"), "give a day from 2023-09-06 to "),
        (("score", "-p", "school", "nroth"), "there are north, south"),
        (("train", "-p", "feature_set", "nosuch"), "there are district, oulad"),
        (("train", "-p", "label_policy", "lenient"), "there are strict, standard, broad"),
        (("train", "-p", "train_until", "1990-01-01"), "school days are known from 2023-09-05 to "),
        (("train",), "give train_until"),
    ],
)
def test_what_can_be_known_early_is_said_before_the_report_starts(filled, tmp_path, words, said):
    done = filled("run", *words)
    assert done.returncode == 1 and done.stdout == ""
    assert said in one_line(done.stderr)
    assert not list((tmp_path / "home" / "runs").glob("*/*")), "a report was begun"


def test_the_checks_before_a_report_and_a_worker_import_no_network():
    code = "import sys, edupulse.faces.checks, edupulse.faces.reports, edupulse.jobs.worker, edupulse.jobs.imports\n"
    code += "sys.exit(', '.join({'torch', 'captum', 'sklearn', 'mlflow'} & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_misspelt_setting_is_one_line(forked, tmp_path):
    (tmp_path / "settings.ini").write_text("[edupulse]\nmeeting_per_week = 5\n")
    done = forked("init")
    assert done.returncode == 1 and "meeting_per_week" in one_line(done.stderr)


def test_a_password_is_never_repeated(forked):
    url = "postgresql+psycopg://someone:s3cret@localhost:1/nowhere"
    done = forked("init", EDUPULSE_DATABASE_URL=url)
    assert done.returncode == 1 and "s3cret" not in done.stdout + one_line(done.stderr)


def test_a_surprise_is_kept_in_a_file_and_named_in_one_line(edupulse, tmp_path):
    code = (
        "import edupulse.faces.doctor as doctor\n"
        "def broken(settings=None, production=False): return {'Ada': 1}['Lovelace']\n"
        "doctor.examine = broken\n"
        "from edupulse.faces.cli import main; main(['doctor'])"
    )
    environment = {**os.environ, "EDUPULSE_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 1 and "KeyError" in one_line(done.stderr)
    (kept,) = (tmp_path / "home" / "logs").glob("error-*.txt")
    assert str(kept) in done.stderr and "cli.py" in kept.read_text() and "Lovelace" not in kept.read_text()


def test_json_is_one_object_and_nothing_else(begun):
    done = begun("doctor", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["well"]
    assert done.stdout.count("\n") == 1


def test_nobody_scores_by_hand_while_a_step_of_the_week_is_at_work(filled, tmp_path):
    from edupulse.jobs.lease import Terms, claim
    from edupulse.jobs.record import Wish, add
    from edupulse.store.engine import connect

    engine = connect(f"sqlite:///{tmp_path / 'home' / 'edupulse.db'}")
    add(engine, Wish("report", "report 1"))
    held = claim(engine, "ann", Terms())
    engine.dispose()
    done = filled("run", "score")
    assert done.returncode == 1 and "report 1 is at work since" in done.stderr
    assert f"edupulse jobs show {held.number}" in done.stderr
