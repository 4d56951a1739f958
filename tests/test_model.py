"What no single notebook can show of the model: other processes, and the package as a whole."

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edupulse.explain.attribution import last_week, state_before
from edupulse.model.config import ModelConfig, TrainingConfig
from edupulse.training.data import make_tensors
from edupulse.training.ensemble import member_logits
from edupulse.training.estimator import RiskModel
from edupulse.training.examples import ExamplePlan, invent

PACKAGE = Path(__file__).resolve().parent.parent / "edupulse"
PLAN = ExamplePlan(students=120, years=2)
CONFIG = ModelConfig(hidden=6)
TRAINING = TrainingConfig(members=2, max_epochs=2, closing_epochs=1, batch_size=64, progress=False)

IMPORTS = """
import hashlib
from edupulse.model.config import ModelConfig, RiskLevels, TrainingConfig
from edupulse.training.estimator import RiskModel
from edupulse.training.examples import ExamplePlan, invent
"""
SCORES = "hashlib.sha256(model.predict(example.sequences)['risk_score'].to_numpy().tobytes()).hexdigest()"


@pytest.fixture(scope="module")
def fitted():
    "A small fitted model and what it was fitted on."
    example = invent(PLAN)
    return RiskModel(CONFIG, TRAINING).fit(example.sequences, example.labels), example


def scores_hash(model, sequences) -> str:
    return hashlib.sha256(model.predict(sequences)["risk_score"].to_numpy().tobytes()).hexdigest()


def run_python(code: str, **environment) -> str:
    "What a fresh interpreter prints."
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_another_process_trains_the_same_model_to_the_bit(fitted):
    model, example = fitted
    fit = f"example = invent({PLAN!r})\nmodel = RiskModel({CONFIG!r}, {TRAINING!r}).fit(*example[:2])\n"
    said = run_python(f"{IMPORTS}{fit}print(model.version_, {SCORES})", PYTHONHASHSEED="7")
    assert said.split() == [model.version_, scores_hash(model, example.sequences)]


def test_a_loaded_model_scores_the_same_in_another_process(fitted, tmp_path):
    model, example = fitted
    digest = model.save(tmp_path / "model")
    load = f"example = invent({PLAN!r})\nmodel = RiskModel.load({str(tmp_path / 'model')!r}, {digest!r})\n"
    assert run_python(f"{IMPORTS}{load}print({SCORES})") == scores_hash(model, example.sequences)


def test_a_wide_network_is_wide_wherever_it_is_read():
    "Trained, saved, scored alone or among others, and explained: always with what the week says straight."
    example = invent(PLAN)
    config = replace(CONFIG, wide_members=2)
    model = RiskModel(config, replace(TRAINING, foresight=0.1)).fit(example.sequences, example.labels)
    ensemble, sequences = model.ensemble_, example.sequences
    assert all(member.present.bent.weight.abs().max() > 0.001 for member in ensemble.members)
    whole = member_logits(ensemble, sequences)
    assert np.array_equal(whole[:, [7]], member_logits(ensemble, sequences.select(np.array([7]))))
    tensors = make_tensors(sequences, ensemble.scaler, config)
    network, weeks = ensemble.members[0], (tensors.inputs, tensors.missing)
    with torch.no_grad():
        said = network(*weeks, tensors.context)
        assert np.allclose(said[:, : whole.shape[2]], whole[0], atol=1e-4)
        cut = [tuple(block[:, :20] for block in blocks) for blocks in weeks]
        states = state_before(network, tensors, 0)
        last = last_week(network, *cut, tensors.context[:, 19], states)
        assert torch.allclose(last, said[:, 19], atol=1e-4)
        network.present = None
        assert not torch.allclose(network(*weeks, tensors.context), said, atol=1e-3)


def test_places_and_both_kinds_of_members_are_saved_and_loaded(tmp_path):
    example = invent(PLAN)
    model = RiskModel(replace(CONFIG, scale="ranks", wide_members=1), TRAINING)
    model.fit(example.sequences, example.labels).save(tmp_path / "model")
    loaded = RiskModel.load(tmp_path / "model")
    assert [member.present is None for member in loaded.members_] == [False, True]
    assert scores_hash(loaded, example.sequences) == scores_hash(model, example.sequences)
    plain = RiskModel(replace(CONFIG, wide_members=1), TRAINING).fit(example.sequences, example.labels)
    assert scores_hash(plain, example.sequences) != scores_hash(model, example.sequences)


def test_every_file_of_a_real_model_is_sealed(fitted, tmp_path):
    model, _ = fitted
    model.save(tmp_path / "model")
    for file in sorted((tmp_path / "model").iterdir()):
        content = file.read_bytes()
        for position in np.linspace(0, len(content) - 1, 40).astype(int):
            file.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
            with pytest.raises(ValueError, match="was changed"):
                RiskModel.load(tmp_path / "model")
        file.write_bytes(content)
    RiskModel.load(tmp_path / "model")


def test_a_model_folder_holds_numbers_and_text_only(fitted, tmp_path):
    model, example = fitted
    model.save(tmp_path / "model")
    names = sorted(file.name for file in (tmp_path / "model").iterdir())
    assert names == ["model.json", "reference.json", "scale.safetensors", "seal.json", "weights.safetensors"]
    described = (tmp_path / "model" / "model.json").read_text(encoding="utf-8")
    json.loads(described)
    assert not any(name in described for name in example.sequences.keys["student_id"])


def test_nothing_is_ever_unpickled():
    forbidden = ("pickle", "torch.load", "torch.save", "joblib", "allow_pickle")
    for folder in ("model", "training"):
        for file in (PACKAGE / folder).glob("*.py"):
            lines = [
                line
                for line in file.read_text(encoding="utf-8").splitlines()
                if not line.lstrip().startswith(("#", '"'))
            ]
            assert not [line for line in lines if any(word in line for word in forbidden)], file.name


@pytest.mark.parametrize("week", [4, 12, 20])
def test_scores_are_those_of_the_day(fitted, week):
    "What is said of a week is the same to the bit whether or not the record goes on."
    model, example = fitted
    day = np.sort(np.unique(example.sequences.as_of[example.sequences.valid]))[week]
    whole = model.predict(example.sequences)
    then = model.predict(example.sequences.until(str(day)))
    both = then.merge(whole, on=["student_id", "school_year", "week"], suffixes=("", "_whole"))
    assert len(both) == len(then) and (both["risk_score"] == both["risk_score_whole"]).all()
    assert np.allclose(both["confidence"], both["confidence_whole"], rtol=0, atol=0)
