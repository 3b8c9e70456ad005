"""The whole experiment: one section per component; each component's file has its defaults."""

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from .config.base import Config, tagged_union
from .data.augment.settings import AugmentConfig
from .data.catalogue import DATASETS
from .data.cifar10.dataset import CIFAR10Config
from .data.dataset import DatasetConfig
from .data.normalization import NormalizationName
from .data.progressive_size import ProgressiveSizeConfig
from .data.selection import SelectionConfig
from .losses import LOSSES
from .losses.cross_entropy import CrossEntropyConfig
from .losses.loss import LossConfig
from .losses.regularization import REGULARIZATIONS, L2Config, RegularizationConfig
from .machine.device import PrecisionName
from .metrics.best import BestBy
from .metrics.checkpointing import CheckpointConfig
from .metrics.early_stopping import StopConfig
from .metrics.trackers import LoggingConfig
from .models import ARCHITECTURES
from .models.architecture import ArchitectureConfig
from .models.fine_tuning import FineTuningConfig
from .models.resnet import CifarResNetConfig
from .optim import OPTIMIZERS
from .optim.optimizer import OptimizerConfig
from .optim.schedules import SCHEDULES, CosineConfig, ScheduleConfig
from .optim.sgd import SGDConfig

if TYPE_CHECKING:
    Dataset = DatasetConfig
    Architecture = ArchitectureConfig
    Loss = LossConfig
    Regularization = RegularizationConfig
    Optimizer = OptimizerConfig
    Schedule = ScheduleConfig
else:
    Dataset = tagged_union(DATASETS, tag="name", default="cifar10")
    Architecture = tagged_union(ARCHITECTURES, tag="name", default="resnet20")
    Loss = tagged_union(LOSSES, tag="name", default="cross_entropy")
    Regularization = tagged_union(REGULARIZATIONS, tag="kind", default="l2")
    Optimizer = tagged_union(OPTIMIZERS, tag="name", default="sgd")
    Schedule = tagged_union(SCHEDULES, tag="name", default="cosine")


class ExperimentConfig(Config):
    """Everything that decides what a run learns, to the last bit, and when it is saved."""

    data: Dataset = Field(
        default=CIFAR10Config(), description="the images: cifar10, folder or shapes"
    )
    model: Architecture = Field(
        default=CifarResNetConfig(), description="the network; `cnn-train models` lists them"
    )
    loss: Loss = Field(
        default=CrossEntropyConfig(), description="what is minimised: hinge or cross_entropy"
    )
    regularization: Regularization = Field(
        default=L2Config(),
        description="λR(W), added to the loss: none, l1, l2 or elastic; with adamw: none",
    )
    optimizer: Optimizer = Field(
        default=SGDConfig(), description="how weights follow the gradient: sgd, gd, muon or adamw"
    )
    schedule: Schedule = Field(
        default=CosineConfig(),
        description="rate over time: constant, step, multistep, linear, cosine or triangular",
    )
    augment: AugmentConfig = Field(
        default=AugmentConfig(), description="random changes of each training image"
    )
    normalization: NormalizationName = Field(
        default="auto",
        description="mean and deviation of the input: images measures the training images, "
        "imagenet is for weights of torchvision; auto: those of --weights, else images",
    )
    progressive_size: ProgressiveSizeConfig = Field(
        default=ProgressiveSizeConfig(), description="smaller images in the first epochs"
    )
    data_selection: SelectionConfig = Field(
        default=SelectionConfig(), description="only a share of the images in the later epochs"
    )
    fine_tuning: FineTuningConfig = Field(
        default=FineTuningConfig(), description="what keeps, or slowly changes, given weights"
    )
    ema_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="decay per update of the averaged weights that are evaluated, after n of them "
        "at most (1 + n)/(10 + n); 0: no averaging",
    )
    clip_grad_norm: float = Field(
        default=0.0,
        ge=0,
        description="longest gradient (Euclidean norm) that an update may follow; longer ones are "
        "shortened to it; 0: never",
    )
    batch_size: int = Field(
        default=128, ge=1, description="images per minibatch, of all processes together"
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        description="minibatches whose gradients make one update, that of batch_size times as many "
        "images, in the memory of batch_size; batch norm sees each minibatch alone",
    )
    sync_batch_norm: bool = Field(
        default=False,
        description="batch statistics over the whole minibatch where several processes share it",
    )
    epochs: int = Field(default=30, ge=1, le=20_000, description="passes over the training images")
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="seed of weights, order, augmentation and dropout"
    )
    precision: PrecisionName = Field(
        default="auto",
        description="auto, float32 or bfloat16; auto: bfloat16 where the hardware has units for it",
    )
    compile: bool = Field(
        default=False,
        description="let torch.compile fuse the network's operations: for long runs on a GPU; "
        "on a CPU it needs a C++ compiler and is slower",
    )
    cuda_graphs: bool = Field(
        default=False,
        description="on one CUDA GPU, record the network's passes once per shape of minibatch and "
        "replay them, for networks whose steps take few milliseconds; without effect elsewhere, "
        "with images on the host, with optimizer gd and with accumulate",
    )

    best_by: BestBy = Field(
        default="accuracy",
        description="what the best epoch has most (of the loss: least) of on the validation "
        "images: accuracy, loss, balanced_accuracy or macro_f1; of equals, the least loss",
    )

    stop: StopConfig = Field(
        default=StopConfig(), description="when a run that gets no better ends early"
    )

    logging: LoggingConfig = Field(
        default=LoggingConfig(), description="who gets the records of epochs, beside the run"
    )
    checkpoint: CheckpointConfig = Field(
        default=CheckpointConfig(), description="when the state is saved, and how many are kept"
    )

    @model_validator(mode="before")
    @classmethod
    def _shrink_once(cls, settings: Any) -> Any:
        """With AdamW, let its own decay replace λR(W), unless the config has a section for that."""
        optimizer = settings.get("optimizer") if isinstance(settings, dict) else None
        if not isinstance(optimizer, dict) or optimizer.get("name") != "adamw":
            return settings
        if "regularization" in settings:
            return settings | {"optimizer": {"weight_decay": 0.0} | optimizer}
        return settings | {"regularization": {"kind": "none"}}

    @model_validator(mode="after")
    def _mixes_images_that_can_be(self) -> "ExperimentConfig":
        if self.augment.mixes and self.batch_size == 1:
            raise ValueError(
                "augment: mixup and cutmix need a second image in the minibatch; "
                "set batch_size to 2 or more"
            )
        if self.augment.mixes and self.data_selection.keep < 1 and self.data_selection.by == "loss":
            raise ValueError(
                "augment: the loss of an image mixed by mixup or cutmix is also another one's; "
                "leave them out, or set data_selection.by: random"
            )
        return self

    @model_validator(mode="after")
    def _choose_images_once(self) -> "ExperimentConfig":
        if self.data.sampling == "balanced" and self.data_selection.keep < 1:
            raise ValueError(
                "data.sampling: balanced and data_selection both choose the images of an epoch; "
                "leave one of them out"
            )
        return self

    def warnings(self) -> list[str]:
        """Name every setting without effect, and every pair of settings with the same effect."""
        warnings = [
            *self.augment.warnings(),
            *self.fine_tuning.warnings(self.epochs),
            *self.stop.warnings(self.epochs),
            *self.schedule.warnings(),
        ]
        schedule, regularization = self.schedule, self.regularization
        if schedule.warmup_epochs >= self.epochs:
            warnings.append(
                f"schedule.warmup_epochs {schedule.warmup_epochs:g}: training lasts {self.epochs} "
                "epochs, so the learning rate never leaves warm-up"
            )
        late = [epoch for epoch in schedule.change_epochs() if epoch >= self.epochs]
        if late:
            warnings.append(
                f"schedule.{schedule.name}: a change at epoch {late[0]:g} of {self.epochs} "
                "has no effect"
            )
        selection = self.data_selection
        if selection.keep < 1 and selection.from_epoch >= self.epochs:
            warnings.append(
                f"data_selection.from_epoch {selection.from_epoch}: training lasts {self.epochs} "
                "epochs, so each of them trains on all images"
            )
        of_all, accumulates = self.optimizer.full_batch, self.accumulate > 1
        if of_all and accumulates:
            warnings.append(
                f"accumulate: no effect under optimizer {self.optimizer.name}, whose updates take "
                "all images"
            )
        if self.cuda_graphs and (of_all or accumulates):
            why = f"optimizer {self.optimizer.name}" if of_all else f"accumulate {self.accumulate}"
            warnings.append(
                f"cuda_graphs: no effect under {why}, whose minibatches share one update"
            )
        if self.loss.weights == "balanced" and self.data.sampling == "balanced":
            warnings.append(
                "loss.weights and data.sampling are both balanced: rare classes count twice over; "
                "set one of them"
            )
        if getattr(regularization, "strength", None) == 0:
            warnings.append(f"regularization.kind {regularization.kind}: strength 0 has no effect")
        if regularization.kind != "none" and self.optimizer.decay:
            warnings.append(
                f"optimizer.{self.optimizer.decay} and regularization both shrink the weights; "
                "set one of them to 0"
            )
        elif self.optimizer.rescales_gradients and getattr(regularization, "strength", None):
            warnings.append(
                f"regularization.kind {regularization.kind}: {self.optimizer.name} rescales its "
                "gradient with that of the loss, weight by weight; for a decay that it leaves as "
                "it is, take regularization.kind none and optimizer.weight_decay 0.01"
            )
        return warnings
