"What the containers would run is run here: the commands exist, in the order that an empty store needs."

import os
import subprocess
import sys
from pathlib import Path

import yaml

from edupulse.faces.cli import app

ROOT = Path(__file__).resolve().parent.parent
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "edupulse"}


def test_every_service_of_ours_runs_a_command_that_exists():
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    asked = {name: service["command"][0] for name, service in OURS.items() if "entrypoint" not in service}
    assert asked and set(asked.values()) <= known


def test_everything_waits_for_the_tables_and_only_they_for_the_server():
    made = [name for name, service in OURS.items() if service["command"] == ["init"]]
    for name, service in OURS.items():
        expected = (
            {"postgres": "service_healthy"} if name in made else {made[0]: "service_completed_successfully"}
        )
        assert {k: v["condition"] for k, v in service["depends_on"].items()} == expected, name


def test_the_image_has_what_the_package_needs():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert any("apt-get install" in line and "libgomp1" in line for line in lines)
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    shipped = {"edupulse", "sql", "reports", "pyproject.toml", "README.md", "constraints.txt"}
    assert shipped <= copied and all((ROOT / name).exists() for name in copied)


def test_the_first_command_makes_an_empty_store_ready(store_url, tmp_path):
    (words,) = (service["command"] for service in OURS.values() if service["command"] == ["init"])
    command = [sys.executable, "-c", "from edupulse.faces.cli import main; main()", *words]
    environment = {**os.environ, "EDUPULSE_HOME": str(tmp_path / "state"), "EDUPULSE_DATABASE_URL": store_url}
    for _ in range(2):
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120
        )
        assert done.returncode == 0, done.stderr
