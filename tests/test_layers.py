"A later layer may import an earlier one, never the reverse; reports hold calls, not code."

import ast
import re
from pathlib import Path

import nbformat
import pytest

from edupulse.faces.parameters import parameters_of

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))
REPORTS = sorted((ROOT / "reports").glob("*.ipynb"))
MODULES = sorted(file for file in (ROOT / "edupulse").rglob("*.py") if file.stem[:1] != "_")


def exported_module(notebook: Path) -> str | None:
    "The module a notebook exports, such as `features.weekly`."
    source = "\n".join(cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code")
    found = re.search(r"^#\|\s*default_exp\s+(\S+)", source, re.M)
    return found.group(1) if found else None


def module_name(file: Path) -> str:
    "The dotted name of a module, without the package's own."
    return ".".join(file.relative_to(ROOT / "edupulse").with_suffix("").parts)


def imported(file: Path) -> set[str]:
    "Absolute names of everything a module imports, at its top or inside a function."
    package, names = ["edupulse", *module_name(file).split(".")][:-1], set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*start, *(node.module or "").split(".")]).strip(".")
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


LAYERS = {
    module: int(notebook.name[0])
    for notebook in NOTEBOOKS
    for module in [exported_module(notebook)]
    if module is not None
}  # module → the tens of its notebook


def test_each_module_comes_from_one_notebook():
    exporting = [module for module in map(exported_module, NOTEBOOKS) if module]
    assert len(exporting) == len(set(exporting)), "two notebooks export the same module"
    assert {module_name(file) for file in MODULES} == set(exporting)


def test_the_module_is_named_as_its_notebook():
    for notebook in NOTEBOOKS:
        assert exported_module(notebook) in (None, notebook.stem.split("_", 1)[1]), notebook.name


@pytest.mark.parametrize("file", MODULES, ids=module_name)
def test_no_earlier_layer_imports_a_later_one(file):
    own = LAYERS[module_name(file)]
    for name in imported(file):
        layer = LAYERS.get(name.removeprefix("edupulse."), 0) if name.startswith("edupulse.") else 0
        assert layer <= own, f"layer {own} imports {name} of layer {layer}"


@pytest.mark.parametrize("file", MODULES, ids=module_name)
def test_the_package_needs_no_notebook_tools(file):
    assert not {name.split(".")[0] for name in imported(file)} & {"nbdev", "fastcore", "execnb", "jupytext"}


def test_the_commands_start_without_the_heavy_libraries():
    tops = {
        name.split(".")[0]
        for node in ast.parse((ROOT / "edupulse/faces/cli.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )
    }
    assert not tops & {"torch", "mlflow", "pandas", "duckdb", "papermill", "lightning", "sklearn", "altair"}


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.stem)
def test_a_report_is_calls_and_can_be_asked(report):
    parameters = parameters_of(report)  # refuses none, or two, `parameters` cells and anything but literals
    assert parameters, "a report without a parameter cannot be asked anything"
    assert all(parameter.meaning for parameter in parameters.values()), (
        "each parameter says its unit or meaning"
    )
    for cell in nbformat.read(report, 4).cells:
        if cell.cell_type == "code":
            kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, kinds)], (
                cell.source
            )
            assert not cell.outputs, "a report is stored without outputs"
