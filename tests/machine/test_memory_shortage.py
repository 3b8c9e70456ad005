import numpy as np
import pytest
import torch

from cnn_train.errors import ResourceError
from cnn_train.machine.memory_shortage import memory_explained

CPU = torch.device("cpu")

# The words of torch 2.x on a GPU.
ON_A_GPU = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of "
    "which 5.20 GiB is free. Process 7 has 73.90 GiB memory in use. Of the allocated memory "
    "70.00 GiB is allocated by PyTorch, and 3.00 GiB is reserved by PyTorch but unallocated."
)


def test_a_gpus_shortage_says_what_was_asked_for_and_what_was_free() -> None:
    with (
        pytest.raises(ResourceError) as refusal,
        memory_explained(torch.device("cuda:0"), 4096, "--set batch_size"),
    ):
        raise torch.OutOfMemoryError(ON_A_GPU)
    assert str(refusal.value) == (
        "out of memory on cuda:0 with 4,096 images per batch, 20.00 GiB more were asked for, "
        "5.20 GiB of 79.11 GiB were free; try --set batch_size=2048 or a smaller model"
    )


def test_torchs_own_shortage_on_the_cpu_is_explained() -> None:
    with (
        pytest.raises(ResourceError, match=r"on cpu with 8 images .*, 67,108,864 MiB more were"),
        memory_explained(CPU, 8),
    ):
        torch.empty(2**46, dtype=torch.uint8)


def test_numpys_own_shortage_is_explained() -> None:
    with (
        pytest.raises(ResourceError, match=r", 64\.0 TiB more were asked for; try a smaller model"),
        memory_explained(CPU, 8),
    ):
        np.empty(2**46, dtype=np.uint8)


def test_a_batch_of_one_image_cannot_be_made_smaller() -> None:
    with (
        pytest.raises(ResourceError, match=r"with 1 image per batch; try a smaller model$"),
        memory_explained(CPU, 1, "--set batch_size"),
    ):
        raise MemoryError


def test_any_other_error_stays_as_it_is() -> None:
    with pytest.raises(RuntimeError, match=r"^shapes do not fit$"), memory_explained(CPU, 8):
        raise RuntimeError("shapes do not fit")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_that_is_really_full_names_its_memory() -> None:
    device = torch.device("cuda:0")
    with (
        pytest.raises(
            ResourceError, match=r"GiB more were asked for, .* of .* were free; try -b=4"
        ),
        memory_explained(device, 8, "-b"),
    ):
        torch.empty(2**42, dtype=torch.uint8, device=device)
