"""A model is put to use whole or not at all, on both databases; a challenger in the shadow changes nothing that anybody sees."""

import hashlib
import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from edupulse.faces.caseload_page import caseload_page
from edupulse.faces.train_basis import alias_for
from edupulse.features.catalog import feature_version
from edupulse.model.config import ModelConfig, TrainingConfig
from edupulse.release import promote as promoting
from edupulse.release.evidence import read_model
from edupulse.release.promote import Wish, alias_number, promote
from edupulse.scoring.caseload import caseload, scored_dates
from edupulse.scoring.examples import fill_store, invent_district, write_features
from edupulse.scoring.score import ScoreOptions, score
from edupulse.scoring.shadow import score_beside, score_shadow
from edupulse.sequences import build_sequences
from edupulse.settings import Settings
from edupulse.store.engine import session
from edupulse.store.tables import model_metadata, natural_id, predictions, student_features
from edupulse.support import mark_supported
from edupulse.training.estimator import RiskModel
from edupulse.training.examples import ExamplePlan
from edupulse.training.tracking import RunRecord, record_model, tracking_client

DAYS, QUIET = (date(2022, 11, 28), date(2022, 12, 5)), ScoreOptions(progress=False)


@pytest.fixture(scope="module")
def district():
    return invent_district(ExamplePlan(students=80, years=2, seed=6))


@pytest.fixture(scope="module")
def features(district, tmp_path_factory):
    return write_features(district.features, Path(tmp_path_factory.mktemp("features")))


@pytest.fixture(scope="module")
def models(district):
    sequences = build_sequences(district.features)
    chosen = {
        "train_until": "2023-07-01",
        "members": 1,
        "max_epochs": 1,
        "closing_epochs": 0,
        "progress": False,
    }
    return [
        RiskModel(ModelConfig(hidden=4), TrainingConfig(**chosen, seed=seed)).fit(sequences, district.labels)
        for seed in (0, 1)
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A home whose MLflow is there: making its tables takes seconds."
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    tracking_client(settings)
    return settings


def in_use(engine, client):
    "Who scores by the store, and by the registry."
    number = alias_number(client, "champion")
    model = read_model(engine)
    return model.version, number == model.kept["registry_number"]


def test_a_promotion_is_whole_or_nothing_and_can_be_undone(store, models, home, monkeypatch):
    client = tracking_client(home)
    for model in models:
        record_model(model, home, store, RunRecord(data_fingerprint="data-1"))
    first, second = (model.version_ for model in models)
    assert in_use(store, client) == (second, True)
    alias, said = alias_for(None, "risk-trained-again", home, store)
    assert alias == "challenger" and f"{second} stays in use" in said, "a training takes nobody's place"
    assert alias_for("champion", "risk-trained-again", home, store)[0] == "champion", "unless it is asked to"
    with pytest.raises(ValueError, match="does not pass the release gate .no evidence") as refused:
        promote(home, store, Wish(first))
    assert "\n" not in str(refused.value) and "--override" in str(refused.value)

    def refuses(*_):
        raise RuntimeError("the registry is away")

    monkeypatch.setattr(promoting, "move_in_registry", refuses)
    with pytest.raises(RuntimeError, match="away"):
        promote(home, store, Wish(first, override="a pilot"))
    assert in_use(store, client) == (second, True) and not read_model(store, first).promotions
    monkeypatch.undo()

    def breaks(client, number, record, original=promoting.move_in_registry):
        original(client, number, record)
        raise RuntimeError("the store is full")  # after the registry was told, before the store has committed

    monkeypatch.setattr(promoting, "move_in_registry", breaks)
    with pytest.raises(RuntimeError, match="full"):
        promote(home, store, Wish(first, override="a pilot"))
    assert in_use(store, client) == (second, True) and not read_model(store, first).promotions
    monkeypatch.undo()

    done = promote(home, store, Wish(first, override="a pilot", note="spring"))
    assert in_use(store, client) == (first, True) and f"edupulse promote {second} --override" in done.line
    (kept,) = read_model(store, first).promotions
    number = read_model(store, first).kept["registry_number"]
    assert json.loads(client.get_model_version("edupulse-risk", number).tags["promotion"]) == kept
    assert (
        kept["override"] == "a pilot"
        and kept["gate"]["word"] == "no evidence"
        and kept["who"]
        and kept["when"]
    )
    assert not promote(home, store, Wish(first)).changed and len(read_model(store, first).promotions) == 1
    promote(home, store, Wish(second, override="back to what was"))
    assert in_use(store, client) == (second, True)
    record_model(models[0], home, store, RunRecord(alias=""))
    assert len(read_model(store, first).promotions) == 1, "recording a model again forgets no promotion"


def test_what_no_reason_makes_usable_is_refused(store, models, tmp_path):
    settings = Settings(home=tmp_path / "home")
    sealed = models[0].save(settings.home / "models" / models[0].version_)
    digest = hashlib.sha256(b"another").hexdigest()
    kept = {
        "model": {"horizon_days": 60},
        "digest": sealed,
        "feature_version": feature_version("district"),
        "registry_number": "1",
    }
    with session(store) as db:
        for name, changes in {
            "wrong-digest": {"digest": digest},
            models[0].version_: {"feature_version": "old"},
        }.items():
            row = {"id": natural_id("model_metadata", name), "hyperparameters": {**kept, **changes}}
            db.execute(sa.insert(model_metadata).values(model_version=name, **row))
    (settings.home / "models" / models[0].version_).rename(settings.home / "models" / "wrong-digest")
    with pytest.raises(ValueError, match="not the one on record"):
        promote(settings, store, Wish("wrong-digest", override="I insist"))
    (settings.home / "models" / "wrong-digest").rename(settings.home / "models" / models[0].version_)
    with pytest.raises(ValueError, match="reads features old, which this version of EduPulse does not make"):
        promote(settings, store, Wish(models[0].version_, override="I insist"))


def test_a_model_that_reads_what_no_scoring_gives_is_refused(store, district, features, models, home, capsys):
    marked = mark_supported(build_sequences(district.features), pd.DataFrame())
    one = RiskModel(models[0].config, models[0].training).fit(marked, district.labels)
    record_model(models[0], home, store, RunRecord(data_fingerprint="data-1"))
    record_model(one, home, store, RunRecord(data_fingerprint="data-1", alias=""))
    for alias in ("champion", "challenger"):
        with pytest.raises(
            ValueError, match="cannot score: it reads supported, which nobody gives"
        ) as refused:
            promote(home, store, Wish(one.version_, alias, override="I insist"))
        assert "\n" not in str(refused.value) and "edupulse run train -p supported exclude" in str(
            refused.value
        )
    beside = score_beside(home, store, one.version_, DAYS, QUIET)
    assert beside.written == 0 and "it reads supported" in beside.failed and one.version_ in beside.failed
    assert beside.failed in capsys.readouterr().err
    fill_store(store, district.features)
    with pytest.raises(ValueError, match="it reads supported, which nobody gives it"):
        score(store, features, one, DAYS[0], QUIET)


def everything_shown(engine, version):
    "The counselor's pages and the summary, to the byte."
    pages = [str(caseload_page(caseload(engine, day, version))) for day in DAYS] + [
        str(caseload_page(caseload(engine)))
    ]
    with session(engine, read_only=True) as db:
        summary = db.execute(sa.text("select * from student_risk_summary order by student_id")).all()
        vectors = db.execute(
            sa.select(student_features).order_by(
                student_features.c.student_id, student_features.c.feature_date
            )
        ).all()
    return pages, [tuple(row) for row in summary], [tuple(row) for row in vectors]


def test_nobody_sees_a_shadow(store, district, features, models):
    fill_store(store, district.features)
    champion, challenger = models
    for day in DAYS:
        score(store, features, champion, day, QUIET)
    before = everything_shown(store, champion.version_)
    assert min(score_shadow(store, features, challenger, day, QUIET) for day in DAYS) > 50
    assert everything_shown(store, champion.version_) == before
    assert set(scored_dates(store)["model_version"]) == {champion.version_}
    with pytest.raises(LookupError, match="nothing has been scored"):
        caseload(store, model_version=challenger.version_)
    with session(store, read_only=True) as db:
        rows = pd.DataFrame(db.execute(sa.select(predictions)).mappings().all())
    assert rows.groupby("model_version")["shadow"].agg(["all", "any"]).loc[challenger.version_].all()

    score(
        store, features, challenger, DAYS[1], QUIET
    )  # it has become the champion, and is shown with reasons
    listed = caseload(store, DAYS[1])
    assert (
        listed.model_version == challenger.version_
        and listed.band("watch")["risk_factors"].map(len).max() > 0
    )
    assert score_shadow(store, features, challenger, DAYS[1], QUIET) == 0, "what is shown is not hidden again"
    assert caseload(store, DAYS[1]).model_version == challenger.version_
