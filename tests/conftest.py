"""Fixtures that several test files share: a store of either kind, each test its own.

`store` runs a test once on SQLite and once on PostgreSQL; `empty_store` is the same before any migration. A machine on
which no PostgreSQL can be started skips those runs and says why; with EDUPULSE_TEST_DATABASES=postgresql or =sqlite only
one kind runs, and with EDUPULSE_REQUIRE_POSTGRESQL=1 a missing server is a failure.
"""

import gc
import os
import shutil
import sys
from pathlib import Path

import pytest
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")
gc.set_threshold(20_000, 20, 20)  # a fifth of an import goes into looking for garbage that is not there

from browsers import running_browser  # noqa: E402
from databases import postgresql_database, postgresql_server  # noqa: E402

LONGEST = (  # what is drawn by forked kernels stands together, for they are made ready once
    "test_backtest",
    "test_end_to_end",
    "test_dashboard_pages",
    "test_benchmark",
    "test_jobs",
    "test_ingest",
    "test_tuning",
)
LONGEST += ("test_scoring", "test_fairness", "test_dashboard_desk", "test_month", "test_wheel")
KINDS = tuple(os.environ.get("EDUPULSE_TEST_DATABASES", "sqlite,postgresql").split(","))


def pytest_collection_modifyitems(items):
    """The longest files first, so that the processes end together; each file stays with one of them."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session")
def postgresql(request):
    """The URL of a PostgreSQL server that lives as long as the test session."""
    server = postgresql_server()
    try:
        url = server.__enter__()
    except Exception as error:
        if os.environ.get("EDUPULSE_REQUIRE_POSTGRESQL"):
            raise
        request.config.issue_config_time_warning(
            pytest.PytestWarning(f"NOT TESTED ON POSTGRESQL: {error}"), stacklevel=1
        )
        pytest.skip(f"NOT TESTED ON POSTGRESQL: {error}")
    request.addfinalizer(lambda: server.__exit__(None, None, None))
    return url


@pytest.fixture(params=KINDS)
def store_url(request, tmp_path):
    """The URL of an empty database of either kind, for one test."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    with postgresql_database(request.getfixturevalue("postgresql")) as url:
        yield url


@pytest.fixture
def empty_store(store_url):
    """An open store without tables."""
    from edupulse.store.engine import connect

    engine = connect(store_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory):
    """A migrated SQLite file to copy from: a copy takes a hundredth of the time of a migration."""
    from edupulse.store.engine import connect
    from edupulse.store.migrate import migrate

    file = tmp_path_factory.mktemp("template") / "store.db"
    engine = connect(f"sqlite:///{file}")
    migrate(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return file


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql):
    """The name of a migrated PostgreSQL database to copy from."""
    from sqlalchemy.engine import make_url

    from edupulse.store.engine import connect
    from edupulse.store.migrate import migrate

    with postgresql_database(postgresql) as url:
        engine = connect(url)
        migrate(engine)
        engine.dispose()
        yield make_url(url).database


@pytest.fixture(params=KINDS)
def store(request, tmp_path, monkeypatch):
    """A migrated store of either kind, for one test, with a home of its own."""
    from edupulse.store.engine import connect

    if request.param == "sqlite":
        file = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), file)
        engine = connect(f"sqlite:///{file}")
        yield engine
        engine.dispose()
        return
    monkeypatch.setenv("EDUPULSE_HOME", str(tmp_path / "home"))  # the audit log's witness is kept there
    template = request.getfixturevalue("migrated_postgresql")
    with postgresql_database(request.getfixturevalue("postgresql"), template) as url:
        engine = connect(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def four_years(tmp_path_factory):
    """The home of a district of 250 students over four years, from raw records to features; copy it before you change it."""
    own = tmp_path_factory.mktemp("district") / "home"
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    shared = tmp_path_factory.getbasetemp() if alone else tmp_path_factory.getbasetemp().parent
    with FileLock(shared / "four_years.lock"):  # the first of the test processes makes it
        if not (made := shared / "four_years.made").exists():
            make_four_years(shared / "four_years")
            made.touch()
    shutil.copytree(shared / "four_years", own)
    return own


def make_four_years(home: Path) -> None:
    """That home, made from nothing."""
    from edupulse.faces.demo import Demo, fill_store, make_features, make_records
    from edupulse.training.tracking import tracking_client

    demo = Demo(home, students=250, years=4, seed=5)
    make_records(demo)
    fill_store(demo)
    make_features(demo)
    tracking_client(demo.settings)  # its tables take seconds to make; a copied home has them


@pytest.fixture(scope="session")
def warm_reports():
    """Reports of this process run in kernels forked with the libraries loaded, as notebooks do (`kernels/warm`)."""
    from edupulse.faces import reports

    start = Path(__file__).parent / "kernels" / "warm" / "start.py"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reports, "KERNEL", ("-S", "-E", str(start), "{connection_file}"))
        yield


@pytest.fixture(scope="module")
def browser():
    """Chromium, or a loud skip."""
    with running_browser() as running:
        yield running
