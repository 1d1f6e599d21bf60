"""Bundles on the hub: `dgn bundle push`, and hf:// wherever a file may stand."""

import json
import shutil

import pytest

from dgn.base.errors import UserError
from dgn.cli import bundle as command
from dgn.generators import lookup
from dgn.networks import weights_file
from dgn.synthesis import inputs
from tests.commands import ROOT, run
from tests.hub_server import TOKEN, hub  # noqa: F401, as a fixture

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # of huggingface_hub's own upload
NAME = "hf://me/priors/small.bundle.safetensors"


def test_a_bundle_is_pushed_with_a_page_and_read_back(hub, small_bundle, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    command.run(["push", str(small_bundle), "hf://me/priors"])
    assert capsys.readouterr().out == f"{NAME}: {hub.url}/me/priors/commit/abc\n"
    page = hub.repositories["me/priors"]["main"]["README.md"].decode()
    assert page.startswith("---\nlibrary_name: dgn\n")
    assert "It inverts fc6 of caffenet64." in page
    assert f"dgn synthesize bundle={NAME} units=lemon" in page
    assert str(small_bundle.parent) not in page
    command.run([NAME])
    assert "code (1024,) to 16 px" in capsys.readouterr().out
    command.run(["push", str(small_bundle), "hf://me/priors/other.safetensors"])
    assert capsys.readouterr().out.endswith("; its README.md was left as it is\n")
    assert hub.repositories["me/priors"]["main"]["README.md"].decode() == page


def test_a_licence_of_the_record_is_on_the_page_and_nothing_of_it_is_markup(hub, small_bundle, monkeypatch):  # noqa: F811
    from dgn.generators import bundle

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    read = bundle.load(small_bundle)
    record = read.record | {"licence": "ask: me", "data": "<b>|[x](http://y)"}
    bundle.save(small_bundle, read.generator, read.moments, read.codes, record)
    command.run(["push", str(small_bundle), "hf://me/priors"])
    page = hub.repositories["me/priors"]["main"]["README.md"].decode()
    assert "license: other\nlicense_name: 'ask: me'\n---" in page
    assert r"| data | &lt;b&gt;\|\[x\](http://y) |" in page


def test_a_push_that_cannot_be_is_one_sentence(hub, small_bundle, tmp_path):  # noqa: F811
    with pytest.raises(UserError, match="leave @v1 out"):
        command.run(["push", str(small_bundle), "hf://me/priors@v1"])
    (tmp_path / "no.safetensors").write_text("no")
    with pytest.raises(UserError, match="is not a valid bundle"):
        command.run(["push", str(tmp_path / "no.safetensors"), "hf://me/priors"])
    with pytest.raises(UserError, match="write hf://OWNER/NAME/FILE"):
        command.run(["push", str(small_bundle), "me/priors"])
    assert not hub.created


def test_names_stand_wherever_a_file_may(hub, small_bundle, synthesis, training):  # noqa: F811
    shipped = (ROOT / "dgn/assets/caffenet64.safetensors").read_bytes()
    hub.repositories["me/priors"] = {"main": {"small.bundle.safetensors": small_bundle.read_bytes()},
                                     "v1": {"net.safetensors": shipped}}  # fmt: skip
    net = "hf://me/priors/net.safetensors@v1"
    config = synthesis(f"bundle={NAME}", f"target.weights={net}", "network@judge=caffenet64", f"judge.weights={net}")
    assert config.bundle == NAME
    assert config.target.input.size == 64  # as the file says
    assert inputs.files(config) == {"target": net, "judge": net, "bundle": NAME}  # where it lies here tells no one
    assert inputs.prior_name(config) == "small"
    config = training("data=photos", f"init={NAME}", f"encoder.weights={net}")
    assert lookup.find(config.init).read_bytes() == small_bundle.read_bytes()
    assert weights_file.carried_classes(config.encoder.weights)
    assert len(hub.asked) == 4  # twice HEAD and GET, of the two files


@pytest.mark.slow
def test_a_run_with_names_of_the_hub(hub, small_bundle, tmp_path):  # noqa: F811
    weights = tmp_path / "net.safetensors"
    shutil.copy(ROOT / "dgn/assets/caffenet64.safetensors", weights)
    hub.repositories["me/priors"] = {"main": {p.name: p.read_bytes() for p in (small_bundle, weights)}}
    words = [f"bundle={NAME}", "target.weights=hf://me/priors/net.safetensors@main", "debug=true", "output=out"]
    run(ROOT / "synthesize.py", *words, cwd=tmp_path)
    about = json.loads((tmp_path / "out/manifest.json").read_text())
    assert about["files"] == {"bundle": NAME, "target": "hf://me/priors/net.safetensors@main"}
    assert NAME in (tmp_path / "out/config.yaml").read_text()
    assert not any("huggingface" in path.read_text() for path in (tmp_path / "out").glob("*.[yj]*"))
    said, _ = run("-m", "dgn", "measure", "out", "measures=[recognised,repeated]", cwd=tmp_path)
    assert "recognised/target/top1" in said
    _, said = run(ROOT / "synthesize.py", "bundle=hf://me/none/x.safetensors", "output=no", cwd=tmp_path, code=1)
    assert (
        said == "error: there is no me/none on the hub, or it is private: check the name, or log in by hf auth login\n"
    )
    assert not (tmp_path / "no").exists()
