"""The stratified validation split: chosen once per dataset, the same for every run."""

import torch
from torch import Tensor

from ..errors import DataError, name_some
from ..random_streams import make_generator
from .dataset import DataAccess, DatasetConfig
from .image_set import ImageSet


def stratified_split(labels_N: Tensor, val_fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split indices into (train, validation), both ascending, with every class in both.

    Each class gives ``val_fraction`` of its examples, rounded, at least one and never all.
    Raises ValueError where a class has fewer than two examples.
    """
    generator = make_generator(seed, "validation split")
    held_out_N = torch.zeros(len(labels_N), dtype=torch.bool)
    for label in torch.unique(labels_N).tolist():
        members = (labels_N == label).nonzero().squeeze(1)
        if len(members) < 2:
            raise ValueError(f"class {label} has one example; a split needs at least two")
        num_val = min(max(round(len(members) * val_fraction), 1), len(members) - 1)
        chosen = torch.randperm(len(members), generator=generator)[:num_val]
        held_out_N[members[chosen]] = True
    return (~held_out_N).nonzero().squeeze(1), held_out_N.nonzero().squeeze(1)


def load_training_splits(config: DatasetConfig, access: DataAccess) -> tuple[ImageSet, ImageSet]:
    """Load (train, validation); the test split is never opened here.

    Raises DataError where the images cannot be split.
    """
    images = config.load_train(access)
    own_val = config.as_read(images).load_val(access, images.class_names)
    if own_val is not None:
        access.notice("validation images are the dataset's own; data.val_fraction is not used")
        return images, own_val
    labels_N = images.labels_N
    lone = [name for i, name in enumerate(images.class_names) if (labels_N == i).sum() == 1]
    if lone:
        raise DataError(
            f"cannot hold out validation images: one example only of {name_some(lone)}; add another"
        )
    train, val = stratified_split(labels_N, config.val_fraction, config.split_seed)
    return images.select(train), images.select(val)
