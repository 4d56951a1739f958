"""What only a machine with a graphics processor can show: that training takes it and comes to the same, that what it made
scores elsewhere to the bit, and that the machine's own figures are read. Without one every test is skipped, loudly."""

import os
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logit

from edupulse.evaluation.calibration import calibration_error
from edupulse.evaluation.metrics import Ranking, auroc
from edupulse.explain.attribution import attribute, explain_batch
from edupulse.features.weekly import build_features
from edupulse.ingest.load import ingest_folder
from edupulse.labels import build_labels, settled_within
from edupulse.model.config import ModelConfig, TrainingConfig
from edupulse.sequences import Sequences, build_sequences
from edupulse.settings import Settings
from edupulse.store.engine import connect
from edupulse.store.migrate import migrate
from edupulse.store.snapshot import refresh
from edupulse.synth.district import synthesise
from edupulse.training.data import Goals
from edupulse.training.estimator import RiskModel

GPU = torch.cuda.is_available()
WITHOUT = "NOT TESTED ON A GPU: torch sees none on this machine"
STILL = ModelConfig(hidden=8, dropout=0, input_dropout=0)  # nothing is drawn on the device
TRAINING = TrainingConfig(members=2, max_epochs=3, batch_size=64, progress=False)


@pytest.fixture(scope="module", autouse=True)
def gpu(request):
    "The device, or a loud skip."
    if not GPU:
        request.config.issue_config_time_warning(pytest.PytestWarning(WITHOUT), stacklevel=1)
        pytest.skip(WITHOUT)
    return torch.device("cuda")


class District(NamedTuple):
    "A made-up district, as a model is given it."

    sequences: Sequences
    labels: pd.DataFrame
    store: object  # of features
    settings: Settings


@pytest.fixture(scope="module")
def district(gpu, tmp_path_factory):
    "Three hundred students over three years, from raw records on."
    home = tmp_path_factory.mktemp("gpu")
    settings = Settings(home=home, database_url=f"sqlite:///{home / 'edupulse.db'}")
    synthesise(home / "records", students=300, years=3, seed=5, progress=False)
    engine = connect(settings.url)
    migrate(engine)
    assert not ingest_folder(home / "records", engine).failed
    snapshot = refresh(engine, home / "snapshot", progress=False)
    engine.dispose()
    store = build_features(snapshot, home / "features")
    return District(build_sequences(store.read()), build_labels(snapshot), store, settings)


@pytest.fixture(scope="module")
def fitted(district):
    "Models by what they were trained with, each once."
    made = {}

    def fit(accelerator="gpu", precision="auto", config=STILL, seed=0) -> RiskModel:
        key = accelerator, precision, config, seed
        if key not in made:
            training = replace(TRAINING, accelerator=accelerator, precision=precision, seed=seed)
            made[key] = RiskModel(config, training).fit(district.sequences, district.labels)
        return made[key]

    return fit


class Apart(NamedTuple):
    "How far the risks of one model are from those of another."

    mean: float  # log-odds
    most: float  # log-odds
    auroc: float
    ece: float


def apart(district, one, other) -> Apart:
    "Over all weeks of the district, and over the answered ones."
    answers = settled_within(district.labels, 60)
    key = ["student_id", "school_year", "week"]
    known = district.labels[key].assign(left=answers)[answers.notna()]
    risks = [model.predict(district.sequences) for model in (one, other)]
    odds = np.abs(logit(risks[0]["risk_score"]) - logit(risks[1]["risk_score"]))
    told = [known.merge(risk, on=key) for risk in risks]
    left = told[0]["left"].to_numpy(bool)
    ranks, errors = (
        [measure(left, each["risk_score"].to_numpy()) for each in told]
        for measure in (lambda left, risk: auroc(Ranking.of(left, risk)), calibration_error)
    )
    found = Apart(odds.mean(), odds.max(), abs(ranks[0] - ranks[1]), abs(errors[0] - errors[1]))
    print(found, ranks, errors)
    return found


def alone(code, *arguments, **environment) -> str:
    "What a process of its own says."
    asked = [sys.executable, "-c", code, *map(str, arguments)]
    run = subprocess.run(
        asked, capture_output=True, text=True, env={**os.environ, **environment}, timeout=300
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def test_training_takes_the_gpu_by_itself(district):
    from edupulse.training.loop import Keeper, make_trainer, precision_name

    training = replace(TRAINING, max_epochs=1, members=1, closing_epochs=0)
    assert precision_name(training) == "32-true", "half precision only where it is asked for"
    assert make_trainer(training, Keeper("", False), stops=False).strategy.root_device.type == "cuda"
    torch.cuda.reset_peak_memory_stats()
    model = RiskModel(STILL, training).fit(district.sequences, district.labels)
    material = sum(block.nbytes for block in district.sequences.inputs.values())
    assert torch.cuda.max_memory_allocated() > material, "the material was learnt from there"
    assert {value.device.type for value in model.members_[0].state_dict().values()} == {"cpu"}
    assert model.trained_on_ == {"device": torch.cuda.get_device_name(0), "precision": "32-true"}


def test_full_precision_comes_to_the_same_as_on_the_processor(district, fitted):
    found = apart(district, fitted("gpu"), fitted("cpu"))
    assert found.mean < 1e-3 and found.most < 2e-2 and found.auroc < 1e-3 and found.ece < 1e-4


def test_half_precision_is_off_by_what_it_rounds(district, fitted):
    found = apart(district, fitted("gpu", "bf16"), fitted("cpu"))
    full = apart(district, fitted("gpu"), fitted("cpu"))
    assert full.mean < found.mean / 10 and found.mean < 0.1 and found.auroc < 0.01 and found.ece < 0.002


def test_with_dropout_it_is_another_seed_and_no_more(district, fitted):
    config = ModelConfig(hidden=8)
    here = apart(district, fitted("gpu", "auto", config), fitted("cpu", "auto", config))
    seeds = apart(district, fitted("cpu", "auto", config, 1), fitted("cpu", "auto", config))
    assert here.mean < 1.5 * seeds.mean


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_the_same_seed_makes_the_same_model(district, fitted, precision):
    config = ModelConfig(hidden=8)
    first = fitted("gpu", precision, config)
    assert (
        RiskModel(config, first.training).fit(district.sequences, district.labels).version_ == first.version_
    )
    assert fitted("gpu", precision, config, 1).version_ != first.version_


ELSEWHERE = """
import sys
import numpy as np, torch
from edupulse.features.stored import open_features
from edupulse.sequences import build_sequences
from edupulse.training.data import Goals
from edupulse.training.estimator import RiskModel

folder, features, out = sys.argv[1:]
model = RiskModel.load(folder)
np.save(out, model.predict(build_sequences(open_features(features).read()))["risk_score"].to_numpy())
print(torch.cuda.is_available(), torch.cuda.is_initialized())
"""


def test_a_processor_scores_what_a_gpu_trained_to_the_bit(district, fitted, tmp_path):
    model = fitted("gpu", "auto", ModelConfig(hidden=8))
    model.save(tmp_path / "model")
    here = model.predict(district.sequences)["risk_score"].to_numpy()
    for name, visible in (("without", ""), ("beside", None)):
        hidden = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
        arguments = tmp_path / "model", district.settings.home / "features", tmp_path / f"{name}.npy"
        said = alone(ELSEWHERE, *arguments, **hidden).split()
        assert said == [str(visible is None), "False"], (
            "scoring takes no memory of a GPU that it does not use"
        )
        assert np.array_equal(np.load(tmp_path / f"{name}.npy"), here), name


def test_material_goes_over_whole_where_there_is_room(district, fitted, gpu):
    from edupulse.training.batches import Batches, has_room

    model = fitted("gpu", "auto", ModelConfig(hidden=8))
    tensors = model.tensors(district.sequences)
    goals = Goals(*(tensors.valid.float() for _ in range(3)))
    here = Batches(tensors, goals, model.training, seed=1)
    there = Batches(tensors, goals, model.training, seed=1).on(gpu)
    for one, other in zip(here, there, strict=True):
        assert {block.device.type for block in other[0].inputs} == {"cuda"}
        assert all(torch.equal(a, b.cpu()) for a, b in zip(one[0].inputs, other[0].inputs, strict=True))
    torch.cuda.empty_cache()
    filler = torch.empty(torch.cuda.mem_get_info()[0] - 2**23, dtype=torch.uint8, device=gpu)  # 8 MiB left
    assert len(filler) and not has_room(gpu, tensors, goals) and here.on(gpu) is here
    del filler
    torch.cuda.empty_cache()


def test_batch_by_batch_it_teaches_the_same(district, fitted, monkeypatch):
    config = ModelConfig(hidden=8)
    model = fitted("gpu", "auto", config)
    monkeypatch.setattr("edupulse.training.batches.has_room", lambda *_: False)
    other = RiskModel(config, model.training).fit(district.sequences, district.labels)
    assert other.version_ == model.version_


def test_what_it_trained_is_explained_and_brought_up_to_date_on_the_processor(district, fitted):
    from edupulse.training.updates import update_model

    model = fitted("gpu", "auto", ModelConfig(hidden=8))
    told = attribute(model, district.sequences.select(np.arange(40)))
    assert (
        np.isfinite(told.parts).all() and np.abs(told.parts).max() > 0.01 and np.abs(told.delta).max() < 0.05
    )
    early = RiskModel(model.config, replace(model.training, train_until="2024-12-01"))
    early.fit(district.sequences, district.labels)
    day = str(np.nanmax(district.sequences.as_of))
    renewed = update_model(early, district.sequences, district.labels, day)
    assert renewed.version_ != early.version_ and renewed.split_.train_until == day
    assert renewed.predict(district.sequences)["risk_score"].between(0, 1).all()


def test_integrated_gradients_run_on_the_gpu_too(district, fitted, gpu):
    model = fitted("gpu", "auto", ModelConfig(hidden=8))
    length = district.sequences.valid.sum(axis=1)
    some = np.flatnonzero(length == np.bincount(length).argmax())[:32]
    tensors, ensemble = model.tensors(district.sequences.select(some)), model.ensemble_
    parts, _ = explain_batch(ensemble, tensors, steps=12)
    there = replace(ensemble, members=tuple(copied(member, gpu) for member in ensemble.members))
    others, delta = explain_batch(there, tensors.each(lambda block: block.to(gpu)), steps=12)
    print("explanations apart", np.abs(parts - others).max(), "of", np.abs(parts).max())
    assert np.abs(parts - others).max() < 1e-3 * max(1, np.abs(parts).max()) and np.abs(delta).max() < 0.05


def copied(network, device):
    "A network of its own on a device."
    return deepcopy(network).to(device)


def test_an_update_runs_on_the_gpu_too(district, fitted, gpu):
    from edupulse.training.data import repeatable
    from edupulse.training.ensemble import goals_at
    from edupulse.training.updates import Anchor, UpdateConfig, fisher_of, update_member

    model = fitted("gpu", "32")
    day = str(np.nanmax(district.sequences.as_of))
    goals = goals_at(district.sequences, district.labels, day, (model.config, model.training))
    material = model.tensors(district.sequences), goals(district.sequences.valid)
    updated = []
    for device in (torch.device("cpu"), gpu):
        tensors, aims = (part.each(lambda block, device=device: block.to(device)) for part in material)
        member = copied(model.members_[0], device)
        rows = torch.nonzero(aims.weight.sum(1)).flatten()[:20]
        with repeatable(0, threads=1):
            weights = {name: value.detach().clone() for name, value in member.named_parameters()}
            anchor = Anchor(weights, fisher_of(member, tensors, aims, rows))
            there = update_member(member, (tensors, aims), anchor, (model, UpdateConfig()), seed=0)
        updated.append({name: value.cpu() for name, value in there.state_dict().items()})
    moved = max(float((updated[0][name] - weights[name].cpu()).abs().max()) for name in weights)
    gap = max(float((updated[0][name] - updated[1][name]).abs().max()) for name in weights)
    print("update moved", moved, "apart", gap)
    assert moved > 0.01 and gap < moved / 10


def test_the_exporter_reads_the_real_nvidia_smi(district, gpu):
    from edupulse.faces.exporter import figures_once

    held = torch.ones(2**28, device=gpu)  # 1 GiB
    said = figures_once(district.settings)
    found = {
        name: float(value)
        for name, value in re.findall(r'^edupulse_gpu_(\w+)\{gpu="0"\} (\S+)$', said, re.MULTILINE)
    }
    print(found)
    total = torch.cuda.get_device_properties(0).total_memory
    assert abs(found["memory_bytes"] / total - 1) < 0.1
    assert held.nbytes < found["memory_used_bytes"] < found["memory_bytes"]
    assert 0 <= found["busy_ratio"] <= 1 and 10 < found["temperature_celsius"] < 110
    assert re.search(r'^edupulse_up\{part="gpu"\} 1\.0$', said, re.MULTILINE)


def test_the_doctor_names_the_gpu(tmp_path):
    asked = [sys.executable, "-m", "edupulse.faces.cli", "doctor"]
    home = {"EDUPULSE_HOME": str(tmp_path / "home")}
    said = subprocess.run(asked, capture_output=True, text=True, env={**os.environ, **home}, timeout=300)
    line = next(line for line in said.stdout.splitlines() if " gpu " in line)
    assert torch.cuda.get_device_name(0) in line and line.startswith("✓")


def test_the_bench_says_what_the_gpu_gains():
    from edupulse.training.devices import measure_gpu

    gain = measure_gpu(200, progress=False)
    print(gain)
    assert gain["name"] == torch.cuda.get_device_name(0)
    assert min(gain["weeks_per_s"], gain["processor_weeks_per_s"], gain["times_faster"]) > 0
