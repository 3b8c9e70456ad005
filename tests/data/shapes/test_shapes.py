from collections import Counter
from contextlib import contextmanager

import pytest
import torch
from pydantic import ValidationError

from cnn_train.data.dataset import DataAccess
from cnn_train.data.image_set import ImageSet
from cnn_train.data.shapes.dataset import CLASS_NAMES, ShapesConfig
from cnn_train.errors import DataError

CHALLENGES = ("viewpoint", "illumination", "deformation", "occlusion", "clutter", "variation")
CALM = dict.fromkeys(CHALLENGES, 0.0)


@pytest.fixture
def access(tmp_path):
    return DataAccess(tmp_path / "never made")


@pytest.fixture
def train(access):
    def load(**settings) -> ImageSet:
        return ShapesConfig(**({"num_train": 100} | settings)).load_train(access)

    return load


def differing_pixels(images: ImageSet, others: ImageSet) -> torch.Tensor:
    """Which pixels (NHW) differ in any channel."""
    return (images.images_NCHW != others.images_NCHW).any(dim=1)


def test_a_split_has_the_promised_size_type_and_names(train, access):
    images = train(num_train=230, image_size=24)
    assert images.images_NCHW.shape == (230, 3, 24, 24)
    assert images.names[17] == "shapes/train/00017"
    assert images.class_names == CLASS_NAMES == tuple(sorted(CLASS_NAMES))
    assert len(CLASS_NAMES) == 10
    test_images = ShapesConfig(num_test=15).load_test(access, CLASS_NAMES)
    assert (len(test_images), test_images.names[3]) == (15, "shapes/test/00003")


def test_the_classes_are_balanced(train):
    assert set(Counter(train(num_train=130).labels_N.tolist()).values()) == {13}


def test_the_same_settings_give_the_same_images(train):
    assert train(seed=3).fingerprint() == train(seed=3).fingerprint()


def test_another_seed_draws_other_images_of_the_same_labels(train):
    images, others = train(seed=0), train(seed=1)
    assert torch.equal(images.labels_N, others.labels_N)
    assert differing_pixels(images, others).flatten(1).any(dim=1).all()


def test_a_small_set_is_the_beginning_of_a_large_one(train):
    small, large = train(num_train=130), train(num_train=310)
    assert torch.equal(small.images_NCHW, large.images_NCHW[:130])


def test_no_image_occurs_twice_and_none_is_in_both_splits(train, access):
    test_images = ShapesConfig(num_test=300).load_test(access, CLASS_NAMES)
    both = torch.cat([train(num_train=300).images_NCHW, test_images.images_NCHW])
    assert len({image.numpy().tobytes() for image in both}) == 600


def test_the_test_split_does_not_depend_on_the_training_split(access):
    sets = [ShapesConfig(num_train=n, num_test=50).load_test(access, CLASS_NAMES) for n in (20, 90)]
    assert sets[0].fingerprint() == sets[1].fingerprint()


def test_the_test_split_is_labelled_by_position_in_the_given_classes(access):
    config = ShapesConfig(num_test=40)
    backwards = (*reversed(CLASS_NAMES), "teapot")
    usual, turned = config.load_test(access, CLASS_NAMES), config.load_test(access, backwards)
    assert turned.class_names == backwards
    assert torch.equal(usual.images_NCHW, turned.images_NCHW)
    assert torch.equal(turned.labels_N, 9 - usual.labels_N)


def test_a_model_of_other_classes_cannot_open_the_test_split(access):
    known = tuple(name for name in CLASS_NAMES if name not in ("heart", "star"))
    with pytest.raises(DataError, match=r"test split.*heart, star"):
        ShapesConfig().load_test(access, known)


def test_no_file_is_read_or_written(train, tmp_path):
    train()
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_every_image(tmp_path):
    advances, opened = [], []

    @contextmanager
    def progress(description, total, *, unit="items"):
        opened.append((description, total, unit))
        yield advances.append

    access = DataAccess(tmp_path, progress=progress)
    ShapesConfig(num_train=230).load_train(access)
    assert opened == [("Drawing shapes (train)", 230, "images")]
    assert sum(advances) == 230


def test_without_challenges_all_images_of_a_class_are_equal_and_the_classes_differ(train):
    images = train(**CALM)
    icons = {}
    for label in range(10):
        (icon,) = images.images_NCHW[images.labels_N == label].unique(dim=0)
        icons[label] = icon.numpy().tobytes()
    assert len(set(icons.values())) == 10


def test_without_challenges_a_centred_shape_lies_on_a_plain_background(train):
    image_NCHW = train(**CALM).images_NCHW[:10]
    paper = image_NCHW[0, :, 0, 0]
    is_paper = (image_NCHW == paper[:, None, None]).all(dim=1)
    edges = torch.cat([is_paper[:, [0, -1]].flatten(1), is_paper[:, :, [0, -1]].flatten(1)], dim=1)
    assert edges.all()
    assert not is_paper[:, 14:18, 6:10].flatten(1).all(dim=1).all()
    shares = (~is_paper).float().mean(dim=(1, 2))
    assert ((shares > 0.1) & (shares < 0.5)).all()


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_each_challenge_alone_changes_the_clean_icons_the_more_the_stronger(train, challenge):
    clean = train(**CALM).images_NCHW.float()
    changes = [
        (train(**CALM | {challenge: strength}).images_NCHW.float() - clean).abs().mean().item()
        for strength in (0.0, 0.3, 1.0)
    ]
    assert changes[0] == 0 < changes[1] < changes[2]


@pytest.mark.parametrize("challenge", ["clutter", "occlusion", "illumination"])
def test_what_changes_one_challenge_leaves_the_others_alone(train, challenge):
    """A scene keeps its pose and colours, so that an accuracy's fall has one cause."""
    others = {"viewpoint": 1.0, "deformation": 1.0, "variation": 1.0}
    without, with_it = (train(**CALM | others | {challenge: s}) for s in (0.0, 0.05))
    difference = without.images_NCHW.float() - with_it.images_NCHW.float()
    assert difference.abs().flatten(1).median() < 12


def test_occlusion_covers_and_clutter_spares_the_shape(train):
    """On clean icons, clutter lies behind the shape and occlusion before it."""
    clean = train(**CALM)
    ink = clean.images_NCHW[0, :, 16, 16]
    inside = (clean.images_NCHW == ink[:, None, None]).all(dim=1)
    covered = differing_pixels(clean, train(**CALM | {"occlusion": 1.0}))[inside]
    assert 0.05 < covered.float().mean() < 0.5
    cluttered = train(**CALM | {"clutter": 1.0}).images_NCHW.float()
    change = (cluttered - clean.images_NCHW).abs().amax(dim=1)[inside]
    assert change.max() <= 0.04 * 255 + 1  # grain only


def test_a_scene_is_the_same_at_any_resolution(train):
    settings = CALM | {"viewpoint": 0.5, "variation": 0.5, "deformation": 0.5, "occlusion": 0.5}
    small, large = train(**settings), train(**settings, image_size=96)
    shrunk = torch.nn.functional.avg_pool2d(large.images_NCHW.float(), 3)
    assert (shrunk - small.images_NCHW).abs().mean() < 3


def test_colour_does_not_give_the_class_away(train):
    images = train(num_train=2000)
    colour_NC = images.images_NCHW.float().mean(dim=(2, 3))
    means_KC = torch.stack([colour_NC[images.labels_N == label].mean(0) for label in range(10)])
    standard_error = colour_NC.std(0) / 200**0.5
    assert ((means_KC - colour_NC.mean(0)).abs() < 5 * standard_error).all()


@pytest.mark.parametrize(
    "settings",
    [{"clutter": 1.1}, {"occlusion": -0.1}, {"num_train": 0}, {"image_size": 8}, {"seed": -1}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        ShapesConfig(**settings)
