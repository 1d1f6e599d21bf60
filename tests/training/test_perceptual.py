"""LPIPS as a feature term is LPIPS."""

import pytest
import torch

from dgn.base.errors import UserError
from dgn.training import losses

lpips = pytest.importorskip("lpips")
pytestmark = pytest.mark.filterwarnings("ignore:The parameter 'pretrained'", "ignore:Arguments other than a weight")
torchvision = pytest.importorskip("torchvision")


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "alexnet.pth"
    torch.save(torchvision.models.alexnet().state_dict(), path)
    return path


def test_the_feature_loss_is_the_packages_distance(weights):
    from dgn.training.perceptual import Lpips

    comparator = Lpips("alex", str(weights)).double()
    x, y = torch.rand(2, 3, 3, 64, 64, dtype=torch.float64)
    layers = dict.fromkeys("01234", 1.0)
    found = losses.features(losses.per_position, comparator.all(x), comparator.all(y), layers)
    expected = comparator.model(x, y, normalize=True).mean()
    torch.testing.assert_close(found, expected)
    assert found > 0


def test_a_file_without_the_backbone_is_a_sentence(tmp_path):
    from dgn.training.perceptual import Lpips

    torch.save({"other": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"does not fit LPIPS's backbone alex"):
        Lpips("alex", str(tmp_path / "x.pth"))
