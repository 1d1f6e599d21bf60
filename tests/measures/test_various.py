"""LPIPS against its package, and which pictures are compared."""

import pytest
import torch
from safetensors.torch import save_file

from dgn.measures import various
from dgn.measures.registry import measured
from dgn.training.perceptual import Lpips
from tests.measures.conftest import make_rows

lpips = pytest.importorskip("lpips")
pytestmark = pytest.mark.filterwarnings("ignore:The parameter 'pretrained'", "ignore:Arguments other than a weight")


@pytest.fixture
def weights(tmp_path):
    """Random weights of SqueezeNet under torchvision's names."""
    torch.manual_seed(0)
    net = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False).net
    path = tmp_path / "squeeze.safetensors"
    save_file({f"features.{name.partition('.')[2]}": value for name, value in net.state_dict().items()}, path)
    return str(path)


def test_it_is_the_packages_distance_for_the_pairs_that_are_compared(weights):
    model, classes = Lpips("squeeze", weights), ["a", "a", "b", "b", "c", "c"]
    x = torch.rand(6, 3, 64, 64)
    found = various.perceptual(model, [x[:4], x[4:]], classes)
    for i, j in various.pairs(classes).tolist():
        with torch.no_grad():
            expected = float(model.model(x[i : i + 1], x[j : j + 1], normalize=True))
        assert found[i, j] == pytest.approx(expected, rel=1e-4) and found[j, i] == found[i, j]
    compared = {tuple(sorted(pair)) for pair in various.pairs(classes).tolist()}
    assert int((~found.isnan()).sum()) == 2 * len(compared)


def test_all_pairs_of_a_class_are_compared_and_the_same_others_in_any_order_of_classes():
    classes = [f"{i // 3}" for i in range(30)]
    chosen = various.pairs(classes).tolist()
    same = {(i, j) for i, j in chosen if classes[i] == classes[j]}
    assert len(same) == 10 * 3
    assert len(chosen) - len(same) == 30 * various.OTHERS
    assert all(classes[i] != classes[j] for i, j in chosen if (i, j) not in same)
    turned = [(29 - i, 29 - j) for i, j in various.pairs(classes[::-1]).tolist()]
    names = [{(classes[i], classes[j]) for i, j in some} for some in (chosen, turned)]
    assert names[0] == names[1]


def test_a_run_has_it_beside_real_images_where_the_weights_are_given(subject, weights, monkeypatch):
    made = subject(make_rows(["apple", "bread", "cup"], 2), weights=weights)
    plain = Lpips.all
    monkeypatch.setattr(Lpips, "all", lambda self, x: plain(self, torch.nn.functional.interpolate(x, 64)))
    found = {one.name: one.told() for one in measured("various", made)}
    for name in ("various/lpips-squeeze", "various/lpips-squeeze/real"):
        assert found[name].low < found[name].value < found[name].high and found[name].note == ""


def test_one_picture_a_unit_has_no_variety(subject):
    found = {one.name: one.told() for one in measured("various", subject(make_rows(["apple", "bread"], 1)))}
    assert found["various/features/tiny:out"].note == "one picture a unit: set seeds=2 or more"
    assert found["various/features/tiny:out/real"].value > 0
