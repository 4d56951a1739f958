"The limits that keep a notebook a pleasure to read, proved for the whole tree, without exceptions."

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))
MODULES = sorted(file for file in (ROOT / "edupulse").rglob("*.py") if file.stem[:1] != "_")
LINES, PARAMETERS, MODULE = 40, 7, 300  # a cell, a function, a module: the most; 25 and 5 are the aim
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def exported(notebook: Path) -> list[str]:
    "The code of the cells that a notebook exports, without their directives."
    cells = [cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
    chosen = [source for source in cells if re.search(r"^#\|\s*export\b", source, re.M)]
    return [re.sub(r"^#\|.*\n?", "", source, flags=re.M).strip() for source in chosen]


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    "How many parameters a function has, but for `self` and `cls`."
    given = function.args
    names = [each.arg for each in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
    return (
        len([name for name in names if name not in ("self", "cls")]) + bool(given.vararg) + bool(given.kwarg)
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_cell_says_one_thing(notebook):
    for source in exported(notebook):
        body, what = ast.parse(source).body, source.partition("\n")[0]
        assert sum(isinstance(node, FUNCTIONS | ast.ClassDef) for node in body) <= 1, (
            f"two definitions: {what}"
        )
        if not all(isinstance(node, ast.Import | ast.ImportFrom) for node in body):
            assert len(source.splitlines()) <= LINES, f"more than {LINES} lines: {what}"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.relative_to(ROOT / "edupulse").as_posix())
def test_a_module_can_be_read_in_one_sitting(file):
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MODULE, f"more than {MODULE} lines; two subjects, two notebooks"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, FUNCTIONS):
            assert parameters(node) <= PARAMETERS, f"{node.name} wants a frozen dataclass"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_tells_as_well_as_computes(notebook):
    cells = [cell for cell in nbformat.read(notebook, 4).cells if cell.source.strip()]
    prose = sum(cell.cell_type == "markdown" for cell in cells)
    assert 15 <= len(cells) <= 60, f"{len(cells)} cells"
    assert 2 * prose >= len(cells) - prose, f"{prose} cells of prose to {len(cells) - prose} of code"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_stored_outputs_hold_no_warning_and_no_path(notebook):
    for cell in nbformat.read(notebook, 4).cells:
        shown = str(cell.get("outputs", ""))
        assert not re.search(r"/tmp/|ipykernel_\d|\w+Warning: |'image/png'", shown), cell.source


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.relative_to(ROOT / "edupulse").as_posix())
def test_duckdb_is_opened_where_it_cannot_draw_into_a_page(file):
    assert (
        "duckdb.connect(" not in file.read_text(encoding="utf-8") or file == ROOT / "edupulse" / "engine.py"
    ), "take edupulse.engine.open_duckdb"
