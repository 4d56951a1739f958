"""Proves that the package is what the notebooks export: delete every generated module, export again, compare.

Finds hand edits, stale modules of deleted notebooks, notebooks nobody exported and notebooks nobody cleaned; and a
README that is not what `nbs/index.ipynb` says. `make readme` writes the README.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parent.parent
MENDED_BY = "run `nbdev-clean && nbdev-export`, look at the difference, commit"


def run(*command: str, cwd: Path) -> str:
    "Run a command in `cwd`; its output, or an exit with what it said."
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def copy_tree(target: Path) -> None:
    "Copy what git tracks or would track, so that the check never touches the working tree."
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


def remove_generated(package: Path) -> None:
    "Delete every module but the hand-written `__init__.py` of the package."
    for module in package.rglob("*.py"):
        if module != package / "__init__.py":
            module.unlink()


def readme_text() -> str:
    "The README that `nbs/index.ipynb` makes: without hidden cells, pictures found from the root."
    notebook = nbformat.read(ROOT / "nbs" / "index.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith("#| hide")]
    body, _ = MarkdownExporter().from_notebook_node(notebook)
    return (
        body.strip().replace("](images/", "](nbs/images/").replace('src="images/', 'src="nbs/images/') + "\n"
    )


def main() -> None:
    readme = ROOT / "README.md"
    if sys.argv[1:] == ["--write-readme"]:
        readme.write_text(readme_text(), encoding="utf-8")
        return
    if readme.read_text(encoding="utf-8") != readme_text():
        sys.exit(
            "README.md is not what nbs/index.ipynb makes: run `make readme`, look at the difference, commit"
        )
    tools = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_tree(tree)
        run("git", "init", "--quiet", cwd=tree)
        run("git", "add", "--all", cwd=tree)
        remove_generated(tree / "edupulse")
        run(str(tools / "nbdev-clean"), cwd=tree)
        run(str(tools / "nbdev-export"), cwd=tree)
        different = run("git", "status", "--porcelain", cwd=tree).splitlines()
        different = [line for line in different if not line.startswith("A ")]
    if different:
        sys.exit("notebooks and package disagree:\n  " + "\n  ".join(different) + f"\n{MENDED_BY}")
    print("notebooks and package agree")


if __name__ == "__main__":
    main()
