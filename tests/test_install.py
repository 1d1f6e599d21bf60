"""The package as it is installed: commands, configs and weights inside, from any folder."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import MissingConfigException

from dgn.base import folders

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that `pip install .` has filled, without the dependencies, which the tests' environment has."""
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder, "."], cwd=ROOT, check=True, capture_output=True, timeout=300)
    return folder


def run(installed, command, *words, cwd):
    env = os.environ | {"PYTHONPATH": str(installed)}
    call = [sys.executable, str(installed / "bin" / command), *words]
    done = subprocess.run(call, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_installed_commands_have_all_they_need(installed, tmp_path):
    assert not (installed / "tests").exists()
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert (installed / "dgn/conf" / path.relative_to(ROOT / "conf")).exists()
    run(installed, "dgn-synthesize", "experiment=nguyen2016", "--cfg", "job", cwd=tmp_path)
    out = tmp_path / "somewhere"
    run(installed, "dgn-synthesize", "units=lemon", "debug=true", "output=somewhere", cwd=tmp_path)
    assert (out / "index.html").exists()
    run(installed, "dgn-train", "data=photos", "data.sources.count=20", "debug=true", "output=trained", cwd=tmp_path)
    bundle = "trained/caffenet64-fc6-photos.bundle.safetensors"
    run(installed, "dgn-synthesize", f"bundle={bundle}", "units=lemon", "debug=true", "output=again", cwd=tmp_path)


def test_no_part_of_the_package_is_a_link():
    for folder in ("dgn", "conf", "experiments", "tests"):
        assert not [path for path in (ROOT / folder).rglob("*") if path.is_symlink()], "a clone on Windows loses these"


def test_the_experiments_are_a_group_of_ours_and_of_no_other_application(tmp_path):
    (tmp_path / "app.yaml").write_text("defaults: [{experiment: demo}]\n")
    with initialize_config_dir(version_base="1.3", config_dir=str(folders.CONF)):
        assert compose("synthesize", overrides=["experiment=demo"]).panels
    with initialize_config_dir(version_base="1.3", config_dir=str(tmp_path)):
        with pytest.raises(MissingConfigException):
            compose("app")


def test_the_versions_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
