from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from benchmarks.plain_loops import BareLoop, StudentDataset, StudentLoop
from PIL import Image
from torch import nn

from cnn_train.data.batches import Batch
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization


def make_model(num_classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, num_classes))


def test_the_bare_loop_learns(make_images: Callable[..., ImageSet]) -> None:
    images = make_images(30)
    batch = Batch(Normalization.of(images.images_NCHW)(images.images_NCHW), images.labels_N)
    model = make_model()
    loop = BareLoop(model, model)
    before = F.cross_entropy(model(batch.images_BCHW), batch.labels_B).item()
    loop.train([batch] * 5)
    assert F.cross_entropy(model(batch.images_BCHW), batch.labels_B).item() < 0.5 * before


def test_the_bare_loop_validates_without_learning(make_images: Callable[..., ImageSet]) -> None:
    images = make_images(6)
    model = make_model()
    before = [value.clone() for value in model.parameters()]
    BareLoop(model, model).validate([Batch(images.images_NCHW.float(), images.labels_N)])
    assert not model.training
    assert all(map(torch.equal, before, model.parameters()))


def test_the_student_sees_each_image_normalised(make_images: Callable[..., ImageSet]) -> None:
    images = make_images(30)
    dataset = StudentDataset(images)
    torch.manual_seed(0)
    image_CHW, label = dataset[4]
    assert (image_CHW.dtype, image_CHW.shape, label) == (torch.float32, (3, 8, 8), 1)
    normalised = Normalization.of(images.images_NCHW)(images.images_NCHW)
    padding = dataset.transform(Image.new("RGB", (8, 8)))  # black
    seen = set(image_CHW.flatten().round(decimals=4).tolist())
    known = torch.cat([normalised[4].flatten(), padding.flatten()]).round(decimals=4)
    assert seen <= set(known.tolist())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # threads and fork: torch's
def test_the_student_trains_with_worker_processes(make_images: Callable[..., ImageSet]) -> None:
    model = make_model()
    before = [value.clone() for value in model.parameters()]
    loop = StudentLoop(model, make_images(30), batch_size=10, device=torch.device("cpu"))
    assert loop.images_per_second(2) > 0
    assert not all(map(torch.equal, before, model.parameters()))
