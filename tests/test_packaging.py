"""What is shipped, and which package may import which."""

import ast
import shutil
import subprocess
import sys
import zipfile

import pytest

ORDER = ("fcn", "seqllm", "fashionm3")  # each may import those before it


@pytest.fixture(scope="module")
def wheel(repo_root, tmp_path_factory):
    """The wheel of a copy of the tree, so that the build leaves nothing behind in the checkout."""
    base = tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns(".*", "build", "dist", "runs", "data", "*.egg-info", "__pycache__")
    shutil.copytree(repo_root, base / "tree", ignore=left_out)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    done = subprocess.run([*command, base, base / "tree"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = base.glob("*.whl")
    return path


def test_wheel_ships_our_packages_and_nothing_else(wheel, repo_root):
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    packages = {name for name in ORDER if (repo_root / name / "__init__.py").exists()}
    (info,) = top - packages
    assert packages <= top
    assert info.startswith("dresswell-") and info.endswith(".dist-info")
    shipped = {name for name in names if name.endswith(".py")}
    written = {str(p.relative_to(repo_root)) for name in packages for p in (repo_root / name).rglob("*.py")}
    assert shipped == written
    assert any(name.endswith("LICENSE") for name in names)


def test_our_datasets_folder_does_not_shadow_hugging_face(repo_root):
    assert not (repo_root / "datasets" / "__init__.py").exists()
    code = "import datasets; assert callable(datasets.load_dataset); print(datasets.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "site-packages" in done.stdout


def imported(path):
    """Top-level names a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", ORDER)
def test_imports_run_only_towards_fcn(repo_root, package):
    later = set(ORDER[ORDER.index(package) + 1 :])
    for path in (repo_root / package).rglob("*.py"):
        assert not later & set(imported(path)), path.relative_to(repo_root)


def test_import_fcn_is_light(repo_root):
    code = "import sys, fcn; print(sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
