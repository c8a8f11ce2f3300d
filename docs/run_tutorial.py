"""Runs the code of docs/tutorial.ipynb from top to bottom, and keeps what each cell shows in the notebook.

    python docs/run_tutorial.py

It works in a temporary folder, so the files that the tutorial writes are gone afterwards.
"""

import ast
import contextlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).with_name("tutorial.ipynb")
MOST_LINES = 30


def run_cells(notebook: dict[str, Any], names: dict[str, Any]) -> list[str]:
    """What each code cell prints and what its last line is worth, as text; ``names`` is filled as it runs."""
    return [_run("".join(cell["source"]), names) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _run(source: str, names: dict[str, Any]) -> str:
    tree = ast.parse(source)
    last = tree.body.pop()
    shown = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, "tutorial", "exec"), names)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), "tutorial", "eval"), names)
        else:
            exec(compile(ast.Module([last], []), "tutorial", "exec"), names)
    return printed.getvalue() + ("" if shown is None else f"{shown!r}\n")


def with_outputs(notebook: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    """The notebook with these outputs, of which the first lines are kept."""
    left = iter(texts)
    for number, cell in enumerate((one for one in notebook["cells"] if one["cell_type"] == "code"), start=1):
        lines = next(left).splitlines(keepends=True)[:MOST_LINES]
        shown = [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []
        cell |= {"execution_count": number, "outputs": shown}
    return notebook


def main() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            texts = run_cells(notebook, {})
        finally:
            os.chdir(before)
    text = json.dumps(with_outputs(notebook, texts), indent=1, ensure_ascii=False)
    NOTEBOOK.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
