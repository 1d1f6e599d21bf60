"""Away from the user's home."""

import os

import pytest


@pytest.fixture(scope="module", autouse=True)
def away(tmp_path_factory):
    """An empty home and current folder, which stay so; of the user's settings of W&B one, which comes back."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        patch.setenv("WANDB_CACHE_DIR", str(home / "cache"))
        patch.setenv("HOME", str(home))
        patch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        patch.chdir(home)
        yield
        assert [name for name in os.environ if name.startswith("WANDB_")] == ["WANDB_CACHE_DIR"]
    assert list(home.iterdir()) == []
