"EduPulse: who is drifting, why, and what to do, weeks before it is too late."

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "synthesise": "synth.district",
    "load_settings": "settings",
    "connect": "store.engine",
    "session": "store.engine",
    "migrate": "store.migrate",
    "refresh": "store.snapshot",
    "ingest_folder": "ingest.load",
    "CATALOG": "features.catalog",
    "build_features": "features.weekly",
    "read_features": "features.stored",
    "build_labels": "labels",
    "build_sequences": "sequences",
    "ModelConfig": "model.config",
    "TrainingConfig": "model.config",
    "RiskModel": "training.estimator",
    "reasons_for": "scoring.explain",
    "run_report": "faces.reports",
}

__all__ = list(_HOMES)


def __getattr__(name: str):
    "Import a public name when it is first asked for, so that a command does not wait for what it does not use."
    if name not in _HOMES:
        raise AttributeError(f"edupulse has no {name!r}; it has {', '.join(__all__)}")
    value = globals()[name] = getattr(import_module(f"edupulse.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    "The public names, for completion."
    return sorted([*globals(), *__all__])
