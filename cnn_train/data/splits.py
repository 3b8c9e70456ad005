"""The validation split: decided image by image, the same for every run.

Shape letters: N examples, U different images.
"""

import torch
from torch import Tensor

from ..errors import DataError, name_some
from ..random_streams import make_generator
from .content import hash_bytes
from .dataset import DataAccess, DatasetConfig
from .image_set import ImageSet


def split_by_content(images: ImageSet, val_fraction: float, seed: int) -> Tensor:
    """Return which images to hold out (N, bool): each by its own pixels, whatever others there are.

    So equal images stay together, and what was trained on is not held out because others came. The
    price: ``val_fraction`` holds on average. A class with nothing to validate gives its image next
    to the limit, one with nothing to train on keeps it: only there do others matter.
    """
    hashes_U, content_N = torch.unique(images.hashes_N, return_inverse=True)
    drawn = [hash_bytes(f"{seed} {content}".encode()) for content in hashes_U.tolist()]
    place_U = torch.tensor([0.5 + number / 2**64 for number in drawn], dtype=torch.float64)
    held_out_U = place_U < val_fraction
    for label in torch.unique(images.labels_N).tolist():
        own_C = torch.unique(content_N[images.labels_N == label])
        if not held_out_U[own_C].any():
            held_out_U[own_C[place_U[own_C].argmin()]] = True
        elif held_out_U[own_C].all():
            held_out_U[own_C[place_U[own_C].argmax()]] = False
    return held_out_U[content_N]


def split_by_position(images: ImageSet, val_fraction: float, seed: int) -> Tensor:
    """Return which images to hold out (N, bool): drawn from the positions of each class.

    Each class gives ``val_fraction`` of its examples, rounded, at least one and never all.
    """
    generator = make_generator(seed, "validation split")
    held_out_N = torch.zeros(len(images), dtype=torch.bool)
    for label in torch.unique(images.labels_N).tolist():
        members = (images.labels_N == label).nonzero().squeeze(1)
        num_val = min(max(round(len(members) * val_fraction), 1), len(members) - 1)
        chosen = torch.randperm(len(members), generator=generator)[:num_val]
        held_out_N[members[chosen]] = True
    return held_out_N


SPLITS = {"content": split_by_content, "position": split_by_position}


def hold_out(images: ImageSet, config: DatasetConfig) -> tuple[ImageSet, ImageSet]:
    """Split a dataset's images into (train, validation), each in the dataset's order.

    Raises DataError where a class cannot have an image in both.
    """
    held_out_N = SPLITS[config.split](images, config.val_fraction, config.split_seed)
    train, val = (images.select(side_N.nonzero()[:, 0]) for side_N in (~held_out_N, held_out_N))
    undivided = sorted(set(train.labels_N.tolist()) ^ set(val.labels_N.tolist()))
    if undivided:
        named = name_some([images.class_names[label] for label in undivided])
        raise DataError(
            f"cannot hold out validation images: no two different ones of {named}; add another "
            "(data.split: position divides equal ones too)"
        )
    return train, val


def load_training_splits(config: DatasetConfig, access: DataAccess) -> tuple[ImageSet, ImageSet]:
    """Load (train, validation); the test split is never opened here.

    Raises DataError where the images cannot be split.
    """
    images = config.load_train(access)
    own_val = config.as_read(images).load_val(access, images.class_names)
    if own_val is None:
        return hold_out(images, config)
    access.notice("validation images are the dataset's own; data.val_fraction is not used")
    return images, own_val
