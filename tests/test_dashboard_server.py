"A dashboard that is really served: a stranger gets nothing of it, and a closed tab leaves nothing behind."

import asyncio
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import psutil
import pytest
import requests
from browsers import running_browser
from dashboards import Visitor, make_demo, served
from databases import postgresql_database
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application
from websockets.exceptions import InvalidStatus

from edupulse.care.examples import invent_care
from edupulse.dashboard.front import Home
from edupulse.dashboard.guards import POLICY, Doorkeeper
from edupulse.dashboard.identity import Identity, networks
from edupulse.dashboard.sessions import Sessions
from edupulse.store.engine import connect


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory):
    """A demo's dashboard with a warm pool."""
    home = tmp_path_factory.mktemp("dashboard") / "demo"
    make_demo(home).dispose()
    with served(home) as running:
        yield running


@pytest.fixture(scope="module")
def page(dashboard):
    """The week of a counselor, opened."""
    visitor = Visitor(dashboard)
    assert visitor.be("rivera").headers["Location"] == "week.ipynb"
    return visitor.open("week")


def refused(visitor: Visitor, kernel_id: str) -> bool:
    """Is a kernel's socket closed to somebody?"""
    try:
        with visitor.socket(kernel_id):
            return False
    except InvalidStatus as error:
        return error.response.status_code in (403, 404)


def test_the_page_loads_nothing_from_elsewhere_and_its_policy_says_so(page):
    answer = page.visitor.get("/")
    assert (
        answer.headers["Content-Security-Policy"] == POLICY and answer.headers["Cache-Control"] == "no-store"
    )
    assert "http:" not in page.text and "https:" not in page.text and "//cdn" not in page.text
    assert "<main" in page.text and "<h1" in page.text and 'lang="en"' in page.text


def test_a_stranger_who_knows_a_kernel_gets_nothing(dashboard, page):
    nobody, other = Visitor(dashboard), Visitor(dashboard)
    other.be("okoye")  # a browser of the same dashboard, with a cookie of its own
    for stranger in (nobody, other):
        assert stranger.get(f"/api/kernels/{page.kernel_id}").status_code == 403
        assert stranger.web.delete(f"{dashboard.address}/api/kernels/{page.kernel_id}").status_code in (
            403,
            405,
        )
        assert stranger.end(page.kernel_id) == 403 and refused(stranger, page.kernel_id)
        assert stranger.get(f"/voila/query/{page.kernel_id}").status_code == 404
    assert page.visitor.get(f"/api/kernels/{page.kernel_id}").status_code == 200, "the owner has lost it"


ELSEWHERE = (
    "/voila/files/week.ipynb",
    "/voila/files/screen.js",
    "/voila/render/week.ipynb",
    "/voila/tree",
    "/voila/tree/..",
    "/voila/api/contents/",
    "/voila/templates/lab/static/voila.js",
    "/api/contents",
    "/api/kernels",
    "/api/kernelspecs",
    "/api/sessions",
    "/lab",
    "/tree",
    "/login",
    "/screen.js",
    "/settings.ini",
    "/../settings.ini",
    "/%2e%2e/settings.ini",
    "/static/../settings.ini",
    "/static/look.css",
    "/voila/static-0.5.13/../../../../../../etc/passwd",
    "/voila/static-0.5.13/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/voila/labextensions/anywidget/..%2f..%2fjupyterlab_pygments/package.json",
    "/voila/labextensions/jupyterlab_pygments/package.json",
    "/demo.ipynb",
    "/week.ipynb/../../settings.ini",
)


@pytest.mark.parametrize("path", ELSEWHERE)
def test_there_is_no_other_address(dashboard, page, path):
    address = requests.Request("GET", dashboard.address).prepare()
    address.url = dashboard.address + path  # as it stands: `requests` would tidy the dots away
    answer = page.visitor.web.send(address, timeout=30, allow_redirects=False)
    assert answer.status_code in (403, 404) and "root:" not in answer.text and "edupulse]" not in answer.text


def test_nobody_without_a_role_opens_a_page_and_nobody_makes_one_up(dashboard):
    visitor = Visitor(dashboard)
    answer = visitor.get("/week.ipynb", allow_redirects=False)
    assert answer.status_code == 302 and answer.headers["Location"] == "./"
    assert visitor.be("nobody").status_code == 403
    bare = visitor.web.post(
        f"{dashboard.address}/role", data={"username": "rivera"}, timeout=30, allow_redirects=False
    )
    assert bare.status_code == 403, "a role was taken without the form's token"


def test_an_address_with_another_name_is_refused(dashboard):
    assert Visitor(dashboard).get("/", headers={"Host": "pages.example"}).status_code == 403


def test_a_kernel_runs_nothing_and_answers_nobody_without_a_pass(dashboard, page, tmp_path):
    mark, other = tmp_path / "ran", page.visitor.open("week")
    with page.visitor.socket(page.kernel_id) as socket:
        page.tell(socket, "language", lang="es")
        page.tell(socket, "hello")
        page.tell(socket, "hello", **{"pass": page.slip[:-3] + "xxx"})
        page.tell(socket, "hello", **{"pass": other.slip})  # good, for another kernel
        for channel in ("shell", "control"):
            code = {"code": f"open({str(mark)!r}, 'w').close()", "silent": False, "store_history": False}
            page.say(socket, "execute_request", code, channel)
        assert page.hear(socket, 1.5) is None, "somebody was answered before a pass"
        page.tell(socket, "hello", **{"pass": page.slip})
        assert "Ana Rivera" in page.hear(socket)["regions"]["masthead"]
        page.tell(socket, "nothing of the kind")
        assert page.hear(socket)["regions"]["notice"]
    assert not mark.exists(), "the kernel ran what it was sent"


def wait_until(true, seconds: float = 30) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.2)
    return true()


def test_a_page_that_is_left_leaves_no_kernel(dashboard):
    visitor = Visitor(dashboard)
    visitor.be("cole")
    left = visitor.open("week")
    assert visitor.end(left.kernel_id) == 204
    assert (
        visitor.end(left.kernel_id) == 403
        and visitor.get(f"/api/kernels/{left.kernel_id}").status_code == 403
    )
    assert wait_until(lambda: left.kernel_id not in " ".join(dashboard.kernels().values()))


@pytest.mark.soak
def test_thirty_tabs_of_a_real_browser_leave_no_kernel(dashboard):
    with running_browser() as browser:
        context = browser.new_context()
        tab = context.new_page()
        tab.goto(dashboard.address)
        tab.get_by_role("button", name="Ana Rivera").click()
        for _ in range(30):
            tab.wait_for_selector("#speak-en", timeout=60_000)
            tab.close()
            tab = context.new_page()
            tab.goto(f"{dashboard.address}/week.ipynb")
        tab.wait_for_selector("#speak-en", timeout=60_000)
        tab.close()
    assert wait_until(lambda: len(dashboard.kernels()) == 3, 60), (
        "the pool is three; the rest should have ended"
    )


def test_a_pass_opens_one_kernel_and_a_kernel_belongs_to_one_browser(dashboard, page):
    other = Visitor(dashboard)
    other.be("cole")
    theirs = other.open("week")
    with other.socket(theirs.kernel_id) as socket:
        theirs.tell(socket, "hello", **{"pass": page.slip})  # a colleague's, for the colleague's kernel
        assert theirs.hear(socket, 1) is None
        theirs.tell(socket, "hello", **{"pass": theirs.slip})
        assert "Sam Cole" in theirs.hear(socket)["regions"]["masthead"]
    fixed = Visitor(dashboard)  # with a cookie of its own making
    for made_up in ("", "x" * 43, page.visitor.web.cookies["edupulse"][:-1], "../" * 20):
        fixed.web.cookies.set("edupulse", made_up)
        assert (
            refused(fixed, page.kernel_id) and fixed.get(f"/api/kernels/{page.kernel_id}").status_code == 403
        )


def test_a_second_socket_hears_nothing_that_was_not_its_own(dashboard, page):
    with page.visitor.socket(page.kernel_id) as first, page.visitor.socket(page.kernel_id) as second:
        for kind, content in (
            ("inspect_request", {"code": "settings", "cursor_pos": 3, "detail_level": 1}),
            ("complete_request", {"code": "os.", "cursor_pos": 3}),
            ("history_request", {"output": True, "raw": True, "hist_access_type": "range"}),
            ("shutdown_request", {"restart": False}),
            ("interrupt_request", {}),
            ("debug_request", {"type": "request", "command": "evaluate", "arguments": {"expression": "1"}}),
        ):
            for channel in ("shell", "control", "stdin"):
                page.say(second, kind, content, channel)
        page.tell(second, "hello", **{"pass": page.slip})
        assert page.hear(second)["regions"]["page"]
        page.tell(first, "hello", **{"pass": page.slip})
        assert page.hear(first)["regions"]["page"], "the kernel was ended from a socket"


@pytest.mark.soak
def test_many_who_are_signed_in_by_a_proxy_share_one_store(postgresql, migrated_postgresql, tmp_path):
    with postgresql_database(postgresql, migrated_postgresql) as url:
        engine = connect(url)
        invent_care(engine, 80)
        engine.dispose()
        signed = {"EDUPULSE_IDENTITY_HEADER": "X-User", "EDUPULSE_DASHBOARD_PROXIES": "127.0.0.1"}
        with served(tmp_path, EDUPULSE_DATABASE_URL=url, **signed) as running:
            assert Visitor(running).get("/week.ipynb").status_code == 403
            for username, name in (("rivera", "Ana Rivera"), ("cole", "Sam Cole")):
                visitor = Visitor(running)
                visitor.web.headers["X-User"] = username
                opened = visitor.open("week")
                with visitor.socket(opened.kernel_id) as socket:
                    opened.tell(socket, "hello", **{"pass": opened.slip})
                    regions = opened.hear(socket)["regions"]
                assert name in regions["masthead"] and "cards" in regions["page"]


def test_only_the_proxys_header_is_believed(tmp_path):
    engine = make_demo(tmp_path / "demo")
    for proxies, status in (("127.0.0.1", 302), ("10.9.9.9", 403)):
        with front_door(engine, Identity("header", "X-Forwarded-User", networks(proxies))) as address:
            signed_in = requests.get(
                address, headers={"X-Forwarded-User": "rivera"}, timeout=30, allow_redirects=False
            )
            assert signed_in.status_code == status, proxies
            assert requests.get(address, timeout=30).status_code == 403, (
                "nobody was signed in, and somebody was let in"
            )
            unknown = requests.get(address, headers={"X-Forwarded-User": "x' or '1'='1"}, timeout=30)
            assert unknown.status_code == 403
    engine.dispose()


@contextmanager
def front_door(engine, identity: Identity):
    """Our first page on an address of its own, without a kernel behind it."""
    ready, held = threading.Event(), {}

    def run():
        asyncio.set_event_loop(asyncio.new_event_loop())
        app = SimpleNamespace(identity=identity, sessions=Sessions(), engine=engine)
        given = {
            "dashboard": app,
            "identity_provider": Doorkeeper(),
            "allow_remote_access": True,
            "base_url": "/",
        }
        server = HTTPServer(Application([("/", Home)], **given))
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        held.update(loop=IOLoop.current(), port=sockets[0].getsockname()[1])
        held["loop"].add_callback(ready.set)
        held["loop"].start()
        server.stop()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(30)
    yield f"http://127.0.0.1:{held['port']}/"
    held["loop"].add_callback(held["loop"].stop)
    thread.join()


def test_ctrl_c_ends_every_kernel(dashboard):  # the last, since nothing is served after it
    kernels = dashboard.kernels()
    assert len(kernels) >= 3
    dashboard.stop()
    assert not [each for each in kernels if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
