"""E's codes of the training images, computed once."""

import resource
from threading import Thread

import numpy as np
import pytest
import torch
from PIL import Image

from dgn.base import files
from dgn.base.errors import UserError
from dgn.data.dataset import Augment
from dgn.data.loader import DataModule
from dgn.data.sources import imagefolder
from dgn.generators import bundle
from dgn.networks.features import Features
from dgn.training import tasks
from dgn.training.code_cache import keep, name
from dgn.training.settings import GeneratorSettings

SETTINGS = {"batch_size": 5, "workers": 0, "seed": 3, "memory_gib": 1, "val_images": None}
WORDS = ["debug=true", "data.resize=32", "data.crop=32", "augment.flip=false"]


def module(root, flip=False, size=16):
    train, val = imagefolder(str(root), size=size, held_out=2)
    augment = Augment(crop=16, pad=0, flip=flip, brightness=0)
    return DataModule(train=train, val=val, name="test", augment=augment, max_unreadable=0.5, **SETTINGS)


@pytest.fixture
def settings(network_settings):
    """The settings that the cache reads, with a folder."""
    encoder = network_settings("Tiny", name="tiny", layer="fc", input={"size": 16})
    trainer = {"precision": "32-true", "accelerator": "cpu"}

    def build(folder):
        return GeneratorSettings.model_construct(code_cache=str(folder), encoder=encoder, trainer=trainer)

    return build


class Counting(Features):
    """Counts the images that it sees."""

    seen = 0

    def all(self, x):
        self.seen += len(x)
        return super().all(x)


@pytest.fixture
def encoder(tiny, contract):
    return Counting(tiny, "fc", contract, activated=True)


def test_kept_codes_are_the_encoders_own_and_computed_once(encoder, settings, image_tree, tmp_path):
    data = module(image_tree)
    kept = keep(encoder, data, settings(tmp_path / "codes"))
    x, _, index = next(iter(data.train_dataloader()))
    torch.testing.assert_close(kept(index), encoder(x), rtol=1e-3, atol=1e-3)  # kept in fp16
    assert torch.cat(list(kept.batches())).shape == (12, 12)
    seen = encoder.seen
    assert torch.equal(keep(encoder, data, settings(tmp_path / "codes"))(index), kept(index))
    assert encoder.seen == seen


def test_a_stopped_computation_goes_on(encoder, settings, image_tree, tmp_path, monkeypatch):
    data, expected = module(image_tree), keep(encoder, module(image_tree), settings(tmp_path / "whole"))
    encoder.seen = 0
    monkeypatch.setattr("dgn.data.loader.BATCH", 4)
    monkeypatch.setattr(Counting, "all", lambda self, x: stop_after(self, x, 9))
    with pytest.raises(KeyboardInterrupt):
        keep(encoder, data, settings(tmp_path / "codes"))
    monkeypatch.undo()
    assert not list((tmp_path / "codes").rglob("codes.npy"))
    encoder.seen = 0
    kept = keep(encoder, data, settings(tmp_path / "codes"))
    assert np.array_equal(kept.codes, expected.codes)
    assert encoder.seen == 12 - 8


def test_a_disk_without_room_is_an_error_before_the_file_is_mapped(encoder, settings, image_tree, tmp_path):
    data = module(image_tree)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            keep(encoder, data, settings(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.rglob("*.npy"))
    assert keep(encoder, data, settings(tmp_path)).codes.any(1).all()


def test_codes_that_another_run_computes_are_waited_for(encoder, settings, image_tree, tmp_path, capsys):
    data, about = module(image_tree), settings(tmp_path / "codes")
    whole = keep(encoder, data, settings(tmp_path / "whole"))
    folder, seen = tmp_path / "codes" / name(encoder, data, about), encoder.seen
    with files.alone(folder, ""):
        thread = Thread(target=keep, args=(encoder, data, about))
        thread.start()
        said = ""
        while "waiting for another run" not in said and thread.is_alive():
            said += capsys.readouterr().out
        np.save(folder / "codes.npy", whole.codes)
    thread.join(60)
    assert not thread.is_alive() and encoder.seen == seen


def stop_after(encoder, x, most):
    encoder.seen += len(x)
    if encoder.seen > most:
        raise KeyboardInterrupt
    return Features.all(encoder, x)


def test_an_unreadable_image_has_no_code(encoder, settings, image_tree, tmp_path):
    paths = sorted((image_tree / "train").rglob("*.png"))
    for index in (0, 3):  # the first too, of whose code the shape could have been read
        paths[index].write_bytes(b"")
    data = module(image_tree)
    kept = keep(encoder, data, settings(tmp_path / "codes"))
    assert np.isnan(kept.codes[[0, 3]]).all()
    assert torch.cat(list(kept.batches())).shape == (10, 12)
    indices = torch.cat([batch[2] for batch, _ in zip(data.train_dataloader(), range(5), strict=False)])
    assert torch.isfinite(kept(indices)).all()  # another image stands in, with its own code


def test_the_name_is_that_of_weights_and_data(encoder, settings, image_tree, tmp_path):
    data, about = module(image_tree), settings(tmp_path)
    first = name(encoder, data, about)
    assert first == name(encoder, module(image_tree), about)
    other = about.encoder.model_copy(update={"args": {"classes": 3}})
    assert first != name(encoder, data, about.model_copy(update={"encoder": other}))
    assert first != name(encoder, data, about.model_copy(update={"trainer": {"precision": "bf16-mixed"}}))
    image = sorted((image_tree / "train").rglob("*.png"))[0]
    Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(image)
    assert first != name(encoder, module(image_tree), about)


def test_the_name_is_that_of_the_weights_in_memory(encoder, settings, image_tree, tmp_path):
    data, about = module(image_tree), settings(tmp_path)
    first = name(encoder, data, about)
    next(encoder.parameters()).data += 1
    assert first != name(encoder, data, about)


@pytest.mark.parametrize("words", [{"flip": True}, {"size": 20}])
def test_augmented_images_have_no_kept_codes(encoder, settings, image_tree, tmp_path, words):
    with pytest.raises(UserError, match=r"set augment\.flip=false"):
        keep(encoder, module(image_tree, **words), settings(tmp_path))


@pytest.mark.slow
def test_a_run_with_kept_codes_from_another_encoders_generator(training, image_tree, tmp_path, capsys):
    small = ["generator.hidden=16", "generator.widths=[8]"]
    runs = {
        "first": ["encoder.layer=fc6"],
        "second": ["encoder.layer=fc8", "init={first}", f"code_cache={tmp_path}/codes"],
        "third": ["encoder.layer=fc7", "init={first}"],  # as wide as fc6
    }
    for out, words in runs.items():
        (tmp_path / out).mkdir()
        found = [word.format(first=next((tmp_path / "first").glob("*.safetensors"), "")) for word in words]
        tasks.run(training(f"data.root={image_tree}", *WORDS, *small, *found), tmp_path / out)
    for out in ("second", "third"):
        held = bundle.load(next((tmp_path / out).glob("*.safetensors")))
        assert held.record["images_seen"] > 0
    assert capsys.readouterr().out.count("first layer fitted by ridge regression from the new codes to fc6") == 2
