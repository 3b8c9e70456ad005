from typing import Any

import pytest
import torch

from cnn_train.data.training_views import first_views

CHANGES = {"flip": "random", "translate": 2, "rotation": 20, "saturation": 0.4, "erasing": 0.5}


@pytest.mark.parametrize("mixing", [{}, {"mixup": 1.0, "cutmix": 1.0}])
def test_views_are_the_pixels_that_epochs_train_on(start: Any, mixing: dict[str, float]) -> None:
    batches = start(augment=CHANGES | mixing).batches
    shown, words = first_views(batches, 3)
    labels_N = batches.images.labels_N
    assert shown.labels_N.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    for label in range(3):
        example = labels_N.tolist().index(label)
        assert torch.equal(shown.images_NCHW[4 * label], batches.images.images_NCHW[example])
        assert words[4 * label] == ""
        for epoch in range(3):
            place = 4 * label + 1 + epoch
            (trained_CHW,) = (
                batch.images_BCHW[batch.index_B.tolist().index(example)]
                for batch in batches.epoch(epoch)
                if example in batch.index_B.tolist()
            )
            seen_CHW = batches.normalization(shown.images_NCHW[place][None])[0]
            # half a level, in standard deviations
            assert (seen_CHW - trained_CHW).abs().max() <= 0.51 / 255 / min(
                batches.normalization.std
            )
            assert bool(words[place]) == bool(mixing)


def test_the_words_name_the_other_class_and_its_share(start: Any) -> None:
    batches = start(augment={"flip": "none", "translate": 0, "mixup": 1.0}).batches
    images, names = batches.images, batches.images.class_names
    shown, words = first_views(batches, 8)
    kinds = set()
    for place, said in enumerate(words):
        if not said:
            continue
        epoch, own = place % 9 - 1, place // 9
        example = images.labels_N.tolist().index(own)
        order = batches.order(epoch).tolist()
        (piece,) = (p for p in batches.plan(epoch) if example in order[p.start : p.stop])
        members = order[piece.start : piece.stop]
        other = members[(members.index(example) + 1) % len(members)]
        name, first = names[images.labels_N[other]], images.images_NCHW[example].double()
        away = images.images_NCHW[other].double() - first
        seen = shown.images_NCHW[place].double()
        share = float(((seen - first) * away).sum() / (away * away).sum())
        is_same = images.labels_N[other] == own
        kinds.add(bool(is_same))
        if is_same:
            assert said == f"+ {name}"
            continue
        number, said_name = said.split(" % ")
        assert said_name == name
        assert float(number) == pytest.approx(100 * share, abs=1)
    assert kinds == {True, False}


def test_an_epoch_that_leaves_an_image_out_shows_white(start: Any) -> None:
    selection = {"keep": 0.2, "from_epoch": 1, "by": "random"}
    shown, words = first_views(start(data_selection=selection, epochs=9).batches, 6)
    for image_CHW, said in zip(shown.images_NCHW, words, strict=True):
        assert bool((image_CHW == 255).all()) == (said == "left out")
    assert words.count("left out") > 5
    assert set(words[1::7]) == {""}  # epoch 0 trains on all


def test_smaller_images_of_the_first_epochs_are_enlarged(start: Any) -> None:
    model = {"name": "resnet20"}  # its weights fit any size
    sizes = {"stages": [[4, 0.5]]}
    shown, _ = first_views(start(model=model, progressive_size=sizes, epochs=2).batches, 2)
    small_CHW, full_CHW = shown.images_NCHW[1], shown.images_NCHW[2]
    assert torch.equal(small_CHW[:, ::2, ::2].repeat_interleave(2, 1).repeat_interleave(2, 2),
                       small_CHW)  # fmt: skip
    assert not torch.equal(full_CHW[:, ::2, ::2], full_CHW[:, 1::2, 1::2])
