import sys

import pytest
import torch
from torch import Tensor, nn

from cnn_train.errors import UsageError
from cnn_train.models.vgg import VGG
from cnn_train.visualize.features import last_features, principal_components
from cnn_train.visualize.show_embedding import t_sne


def cloud(num_points: int, num_features: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    scales_D = torch.arange(num_features, 0, -1).double() ** 2
    return torch.randn(num_points, num_features, generator=generator).double() * scales_D + 7


@pytest.mark.parametrize(("num_points", "num_features"), [(50, 6), (6, 50)])
def test_the_components_equal_those_of_the_singular_value_decomposition(
    num_points: int, num_features: int
) -> None:
    features_ND = cloud(num_points, num_features)
    map_N2, shares = principal_components(features_ND)
    left_NR, sizes_R, _ = torch.linalg.svd(features_ND - features_ND.mean(dim=0))
    expected_N2 = (left_NR[:, : len(sizes_R)] * sizes_R)[:, :2]
    assert torch.allclose(map_N2.abs(), expected_N2.abs(), atol=1e-6)
    assert shares == pytest.approx((sizes_R**2 / (sizes_R**2).sum())[:2].tolist())
    largest_2 = map_N2.gather(0, map_N2.abs().argmax(dim=0, keepdim=True))
    assert (largest_2 > 0).all()


def test_equal_features_lie_on_one_point() -> None:
    map_N2, shares = principal_components(torch.ones(5, 3))
    assert map_N2.abs().max() < 1e-6
    assert shares == [0.0, 0.0]


def test_the_last_features_are_what_the_scores_are_computed_from() -> None:
    model = VGG(10, (3, 32, 32), width=2).eval()
    images_NCHW = torch.randn(5, 3, 32, 32)
    layer, features_ND = last_features(model, torch.split(images_NCHW, 2))
    assert layer == "fc"
    assert torch.allclose(model.fc(features_ND), model(images_NCHW), atol=1e-6)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_network_without_a_linear_layer_at_its_end_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with pytest.raises(UsageError, match="no fully connected layer"):
        last_features(model, [])


def test_t_sne_without_its_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(UsageError, match=r"pip install 'cnn-train\[embedding\]'"):
        t_sne(torch.randn(10, 4))


@pytest.mark.filterwarnings("default")
def test_t_sne_keeps_clusters_apart_and_repeats_itself() -> None:
    pytest.importorskip("sklearn")
    features_ND = torch.cat((torch.randn(20, 5) - 20, torch.randn(20, 5) + 20))
    map_N2 = t_sne(features_ND)
    distance_NN = torch.cdist(map_N2, map_N2).fill_diagonal_(torch.inf)
    assert ((distance_NN.argmin(dim=1) < 20) == (torch.arange(40) < 20)).all()
    assert torch.equal(map_N2, t_sne(features_ND))
    with pytest.raises(UsageError, match="3 images are too few"):
        t_sne(features_ND[:3])
