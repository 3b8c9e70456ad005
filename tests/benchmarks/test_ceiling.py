import pytest
import torch
from benchmarks.ceiling import Ceiling, convolution, copy, matrix_product
from benchmarks.measuring import Spread
from torch.utils.flop_counter import FlopCounterMode

CPU = torch.device("cpu")


def test_the_ceiling_is_the_best_median_of_its_number_format() -> None:
    tflops = {
        "small float32": Spread.of([1.0, 2.0, 9.0]),
        "large float32": Spread.of([3.0, 3.0, 3.0]),
        "large bfloat16": Spread.of([8.0]),
    }
    ceiling = Ceiling(tflops, Spread.of([1.0]))
    assert ceiling.best("float32") == 3.0
    assert ceiling.best("bfloat16") == 8.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_stated_work_is_what_torch_counts(dtype: torch.dtype) -> None:
    for work, flops in (matrix_product(16, dtype, CPU), convolution((2, 4, 8), dtype, CPU)):
        with FlopCounterMode(display=False) as counter:
            work()
        assert counter.get_total_flops() == flops


def test_a_copy_reads_and_writes_every_byte() -> None:
    work, num_bytes = copy(1000, CPU)
    assert num_bytes == 2000
    copied = work()
    assert isinstance(copied, torch.Tensor) and bool((copied == 1).all())
