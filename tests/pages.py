"""A small district with its pages open: a demo home with scores, and the server that shows it to a browser."""

import json
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa

from edupulse.care.examples import invent_scores
from edupulse.features.weekly import build_features
from edupulse.ingest.load import ingest_folder
from edupulse.settings import load_settings
from edupulse.store.engine import connect, session
from edupulse.store.migrate import migrate
from edupulse.store.snapshot import refresh
from edupulse.store.tables import model_metadata, natural_id
from edupulse.synth.district import synthesise

AS_OF = 22 * 7  # days after the first week: late January, when there is something to say

PLACES = {"meet": {"left": 0.28}, "watch": {"left": 0.06}, "track": {"left": 0.01}}
KNOWN = {
    "id": natural_id("model_metadata", "invented"),
    "model_version": "invented",
    "is_active": True,
    "performance_metrics": {"places": {"capacity_share": 0.05, "watch_share": 0.1, **PLACES}},
}  # what became of students in each place, as a trained model would know it


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
    with session(engine) as db:
        db.execute(sa.insert(model_metadata), [KNOWN])
    engine.dispose()
    (home / "demo.json").write_text(json.dumps({"students": students}), encoding="utf-8")
    return days[-1]
