"""What is installed: every package, nothing else, and commands that start at once."""

import inspect
import os
import subprocess
import sys
import time
import tomllib
import zipfile
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from tsr.pipeline.entry import COMMANDS

ROOT = Path(__file__).parent.parent

from_source = pytest.mark.skipif(
    not (ROOT / "core").is_dir(), reason="needs the source tree; the wheel is being tested"
)


def packages() -> dict[str, Path]:
    """Package names and their folders, as pyproject.toml lists them."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    roots = {name: ROOT / folder for name, folder in tool["package-dir"].items()}
    found = {}
    for name in tool["packages"]:
        top, _, rest = name.removeprefix("tsr.").partition(".")
        found[name] = roots[f"tsr.{top}"].joinpath(*rest.split(".") if rest else ())
    return found


@from_source
def test_every_package_is_listed() -> None:
    """An unlisted package works in an editable install and is missing from the wheel."""
    listed = packages()
    for top in {name.split(".")[1] for name in listed}:
        for init in (ROOT / top).rglob("__init__.py"):
            assert init.parent in listed.values(), f"{init.parent} is not listed"
    for folder in listed.values():
        assert (folder / "__init__.py").is_file()
    tops = [folder for name, folder in listed.items() if name.count(".") == 1]
    assert all((folder / "py.typed").is_file() for folder in tops)


@from_source
def test_no_folder_hides_the_namespace() -> None:
    """A top-level folder named tsr would be imported instead of the packages."""
    assert not (ROOT / "tsr").exists()


@from_source
@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_nothing_else(tmp_path: Path) -> None:
    """Every module and data file of the tree, no tests, no top-level core or runtime."""
    import shutil

    tree = tmp_path / "tree"
    for name in packages():
        top = name.split(".")[1]
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / top, tree / top, ignore=ignored, dirs_exist_ok=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, tree]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = set()
    for name, folder in packages().items():
        for file in folder.iterdir():
            if file.suffix in (".py", ".cu", ".cuh", ".css", ".js") or file.name == "py.typed":
                expected.add("/".join([*name.split("."), file.name]))
    assert found == expected


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_is_complete_and_needs_no_torch(name: str) -> None:
    """Every option is described, at once, on a machine without torch, onnx or a decoder."""
    code = (
        "import sys\n"
        "for absent in ('torch', 'onnx', 'onnxruntime', 'av', 'numba', 'PIL', 'polygraphy'):\n"
        "    sys.modules[absent] = None\n"
        f"from {COMMANDS[name]} import main\n"
        f"main(['--help'], prog_name={name!r})"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - started < 5  # a budget of 0.5 s, on a machine that may be busy
    command = import_module(COMMANDS[name]).main
    assert f"Usage: {name}" in done.stdout
    for parameter in command.params:
        assert all(option in done.stdout for option in parameter.opts if option.startswith("-"))
        if isinstance(parameter, click.Option):
            assert parameter.help or parameter.name in ("device", "factor"), parameter.name


def test_every_command_is_installed() -> None:
    """All begin at the one entry, which Ctrl-C may end while Python imports."""
    installed = {
        found.name: found.value
        for found in entry_points(group="console_scripts")
        if found.value.startswith("tsr.")
    }
    assert installed == dict.fromkeys(COMMANDS, "tsr.pipeline.entry:main")


def test_the_runtime_never_imports_torch() -> None:
    """Running a model needs the base install alone: torch and onnx may not even exist."""
    code = (
        "import sys\n"
        "for absent in ('torch', 'onnx', 'onnxscript', 'safetensors', 'PIL'):\n"
        "    sys.modules[absent] = None\n"
        "import tsr.runtime.cli, tsr.runtime.run, tsr.runtime.cpu_backend\n"
        "import tsr.runtime.onnx_network, tsr.core.clip_io\n"
        "from tsr.runtime.onnx_network import OnnxNetwork\n"
        "from tsr.core.errors import ModelError\n"
        "from pathlib import Path\n"
        "try: OnnxNetwork(Path('absent.onnx'))\n"
        "except ModelError: print('ran')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "ran\n", done.stderr


def test_one_copy_of_the_packages_is_imported() -> None:
    """All parts come from one place: never core from here and runtime from there."""
    homes = set()
    for name in ("core.errors", "runtime.plan", "trainer.schedule", "export.cli"):
        module = import_module(f"tsr.{name}")
        homes.add(Path(inspect.getfile(module)).parent.parent)
    assert len(homes) == 1
    if place := os.environ.get("TSR_INSTALLED_IN"):
        assert homes.pop().is_relative_to(place)  # the wheel, and not the tree beside it
