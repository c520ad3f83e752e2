"""README.md is true: its Python runs as printed, its commands exist, its tables are the committed results."""

import importlib.util
import re
import shlex
import subprocess
import sys

import pytest

from benchmarks.readme import blocks, filled, models, run


@pytest.fixture(scope="module")
def readme(repo_root) -> str:
    return (repo_root / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run_as_printed(readme, repo_root, small_demo, tmp_path, monkeypatch):
    found = blocks(readme)
    assert len(found) == 3
    assert readme.count("```python") == len(found), "a Python block is not marked to be run"
    real = repo_root / "runs" / "demo"
    same = all((real / n / "artifact.json").exists() for n in ("fcn", "seqllm")) and models(real) == found[0][0]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo").symlink_to(real if same else small_demo)
    monkeypatch.chdir(tmp_path)
    for _, code, printed in found:
        said = run(code)
        assert said and printed
        if same:  # the very models README was written with
            assert said == printed


def test_tables_are_the_committed_results(readme):
    assert filled(readme) == readme, "run: python benchmarks/readme.py"


def test_a_changed_result_changes_the_table(readme):
    start = readme.index("<!-- table:main_job -->")
    broken = readme[: start + 40] + "9.99" + readme[start + 40 :]
    assert filled(broken) == readme


def commands(readme: str) -> list[str]:
    lines = re.findall(r"^    ((?:python|make) .*)$", readme, re.MULTILINE)
    return [re.sub(r"\s+#.*$", "", line) for line in lines]


def test_commands_exist_with_their_options(readme, repo_root):
    found = commands(readme)
    assert {"make demo", "make test"} <= set(found)
    makefile = (repo_root / "Makefile").read_text()
    helps: dict[str, str] = {}
    for command in found:
        words = shlex.split(command)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE)
            continue
        if words[1] == "-m":
            assert importlib.util.find_spec(words[2])
            call = words[1:4]
        else:
            assert (repo_root / words[1]).is_file()
            call = words[1:2]
        key = " ".join(call)
        if key not in helps:
            done = subprocess.run([sys.executable, *call, "--help"], cwd=repo_root, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            helps[key] = done.stdout
        for option in (word for word in words if word.startswith("-") and word not in ("-m",)):
            assert option in helps[key], f"{command}: no option {option}"


def test_files_it_names_are_there(readme, repo_root):
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        path = repo_root / target
        assert path.is_file(), target
        if path.suffix == ".png":
            assert path.stat().st_size < 300_000
