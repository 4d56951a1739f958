"""A dashboard that is really served, and the browser of somebody who knows the protocol better than the pages do."""

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import requests
from websockets.sync.client import connect as connect_socket

COMMAND = [sys.executable, "-c", "from edupulse.faces.cli import main; main()", "dashboard", "--port", "0"]
WARM = Path(__file__).parent / "kernels" / "warm"
SECONDS = 120  # how long a busy machine may take to warm the pool


def make_demo(home: Path, students: int = 120):
    """A demo's home without the demo: a store that is scored, with people who have a role."""
    from edupulse.care.examples import invent_care
    from edupulse.store.engine import connect
    from edupulse.store.migrate import migrate

    home.mkdir(parents=True, exist_ok=True)
    (home / "demo.json").write_text(json.dumps({"students": students}), encoding="utf-8")
    engine = connect(f"sqlite:///{home / 'edupulse.db'}")
    migrate(engine)
    invent_care(engine, students)
    return engine


def warm_kernels(folder: Path) -> dict[str, str]:
    """The variable by which pages are drawn by kernels that are forked with the libraries loaded, as notebooks' are."""
    (place := folder / "jupyter" / "kernels" / "python3").mkdir(parents=True)
    spec = (WARM / "kernel.json").read_text(encoding="utf-8").replace("{resource_dir}", str(WARM))
    (place / "kernel.json").write_text(spec, encoding="utf-8")
    return {"JUPYTER_PATH": str(folder / "jupyter")}


class Served:
    """A running dashboard."""

    def __init__(self, home: Path, **settings: str):
        environment = {
            **os.environ,
            "EDUPULSE_HOME": str(home),
            "EDUPULSE_DATABASE_URL": "",
            "PYTHONWARNINGS": "ignore",
            **settings,
        }
        self.told = home / "told.txt"
        with self.told.open("w") as told:
            self.process = subprocess.Popen(COMMAND, env=environment, stderr=told, stdout=told, cwd=home)
        self.address = self.wait_for(r"EduPulse is at (http://\S+)/ ").group(1)
        self.wait_for(r"(\d) of \1 pages ready")

    def wait_for(self, pattern: str) -> re.Match:
        """What the server said, once it has said it."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if found := re.search(pattern, self.told.read_text(encoding="utf-8")):
                return found
            time.sleep(0.1)
        raise AssertionError(f"the dashboard never said {pattern}: {self.told.read_text(encoding='utf-8')}")

    def kernels(self) -> dict[psutil.Process, str]:
        """The kernels that are alive, those of the pool too, each with its command."""
        found = {}
        for each in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # it ended while it was looked at
                found[each] = " ".join(each.cmdline())
        return {each: command for each, command in found.items() if "ipykernel_launcher" in command}

    def stop(self) -> None:
        """Ctrl-C, if nobody has said so before."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


@contextmanager
def served(home: Path, **settings: str):
    """A dashboard, for as long as it is needed."""
    dashboard = Served(home, **settings)
    try:
        yield dashboard
    finally:
        dashboard.stop()


class Visitor:
    """A browser without a screen: cookies, pages, and the socket of a kernel."""

    def __init__(self, dashboard: Served):
        self.address, self.web = dashboard.address, requests.Session()

    def get(self, path: str, **options) -> requests.Response:
        """A page."""
        return self.web.get(self.address + path, timeout=60, **options)

    def be(self, username: str) -> requests.Response:
        """Choose a role in the demo's picker, as its form does."""
        token = re.search(r'name="_xsrf" value="([^"]+)"', self.get("/").text).group(1)
        fields = {"_xsrf": html.unescape(token), "username": username}
        return self.web.post(f"{self.address}/role", data=fields, timeout=60, allow_redirects=False)

    def open(self, page: str) -> "Opened":
        """A page of one's own."""
        answer = self.get(f"/{page}.ipynb")
        assert answer.status_code == 200, (answer.status_code, answer.text[:300])
        return Opened(self, answer.text)

    def end(self, kernel_id: str) -> int:
        """Say that a page was left; the status."""
        return self.web.post(f"{self.address}/voila/api/shutdown/{kernel_id}", timeout=60).status_code

    def socket(self, kernel_id: str):
        """The socket of a kernel, or the refusal of it."""
        cookies = "; ".join(f"{each.name}={each.value}" for each in self.web.cookies)
        place = f"{self.address.replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels?session_id={uuid.uuid4().hex}"
        signed = {name: value for name, value in self.web.headers.items() if name.startswith("X-")}
        headers = {"Cookie": cookies, **signed}
        return connect_socket(place, additional_headers=headers, max_size=None, open_timeout=60)


class Opened:
    """A page that somebody was given, and what can be said to its kernel."""

    def __init__(self, visitor: Visitor, text: str):
        self.visitor, self.text = visitor, text
        self.kernel_id = re.search(r'"kernelId": "([^"]+)"', text).group(1)
        self.widget = re.search(r'"model_id": "([^"]+)"', text).group(1)
        self.slip = html.unescape(re.search(r'name="pass" content="([^"]+)"', text).group(1))

    def say(self, socket, kind: str, content: dict, channel: str = "shell") -> None:
        """Any message of the kernel's protocol."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "username": "",
            "session": uuid.uuid4().hex,
            "version": "5.3",
        }
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": channel,
        }
        socket.send(json.dumps(message))

    def tell(self, socket, do: str, **values: str) -> None:
        """A message of the page's own."""
        data = {"method": "custom", "content": {"do": do, "values": values}}
        self.say(socket, "comm_msg", {"comm_id": self.widget, "data": data})

    def hear(self, socket, seconds: float = 20) -> dict | None:
        """The next reply to the page; None where there is none in time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                message = socket.recv(timeout=left)
            except TimeoutError:
                return None
            if isinstance(message, bytes):  # with a file beside it
                start, stop = (int.from_bytes(message[4 * n : 4 * n + 4], "big") for n in (1, 2))
                message = message[start:stop]
            content = json.loads(message)["content"]
            if content.get("data", {}).get("method") == "custom":
                return content["data"]["content"]
        return None
