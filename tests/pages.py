"""A small district with its pages open: a demo home with scores, and the server that shows it to a browser."""

import json
from datetime import date, timedelta
from pathlib import Path

from edupulse.care.examples import invent_scores
from edupulse.features.weekly import build_features
from edupulse.ingest.load import ingest_folder
from edupulse.settings import load_settings
from edupulse.store.engine import connect
from edupulse.store.migrate import migrate
from edupulse.store.snapshot import refresh
from edupulse.synth.district import synthesise

AS_OF = 22 * 7  # days after the first week: late January, when there is something to say


def make_home(home: Path, students: int = 240, seed: int = 0, weeks: int = 3) -> date:
    """A demo home: real records of an invented district, its people, and scores of a few weeks; the latest scored date."""
    settings = load_settings(home=home, database_url=f"sqlite:///{home / 'edupulse.db'}")
    synthesise(home / "records", students=students, years=1, seed=seed, progress=False)
    engine = connect(settings.url)
    migrate(engine)
    assert not ingest_folder(home / "records", engine).failed
    snapshot = refresh(engine, settings.folder("snapshot"), progress=False)
    features = build_features(snapshot, settings.folder("features"), threads=1).read()
    first = features["as_of"].min().date()
    days = sorted(
        day.date() for day in features["as_of"].unique() if day.date() <= first + timedelta(days=AS_OF)
    )
    for day in days[-weeks:]:
        invent_scores(engine, features, day)
    engine.dispose()
    (home / "demo.json").write_text(json.dumps({"students": students}), encoding="utf-8")
    return days[-1]
