"""What a command's time is, and the bound that batch prediction is held against."""

from subprocess import CalledProcessError

import pytest
from benchmarks.startup import attainable_speed, time_command


def test_a_command_that_fails_has_no_time() -> None:
    assert time_command(["sleep", "0.05"]) >= 0.05
    with pytest.raises(CalledProcessError):
        time_command(["false"])


def test_on_the_cpu_reading_takes_its_time_from_the_forward_pass() -> None:
    # 1,000 images: 0.1 s of all cores for the forward, 0.2 s of one core or 0.05 s of four to read
    assert attainable_speed(10_000, 5_000, 4, on_cpu=True) == pytest.approx(1_000 / 0.15)


@pytest.mark.parametrize(("cores", "bound"), [(1, 5_000), (2, 10_000), (8, 10_000)])
def test_beside_a_gpu_the_slower_of_the_two_decides(cores: int, bound: float) -> None:
    assert attainable_speed(10_000, 5_000, cores, on_cpu=False) == bound
