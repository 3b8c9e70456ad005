import platform
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from cnn_train.errors import UsageError
from cnn_train.machine import device as device_module
from cnn_train.machine.device import (
    Device,
    Precision,
    processor_name,
    resolve_device,
    resolve_precision,
    with_autocast,
)

CPU_CAPABILITIES = {"amx_bf16": False, "avx512_bf16": False}


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Test GPU")


@pytest.mark.usefixtures("no_gpu")
def test_auto_falls_back_to_the_cpu_and_says_so() -> None:
    chosen = resolve_device("auto")
    assert chosen.torch_device == torch.device("cpu")
    assert "no GPU found" in chosen.reason


def test_a_driver_that_is_too_old_is_the_reason_for_the_cpu_and_for_a_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def complain() -> bool:  # in the words of torch.cuda.is_available
        warnings.warn(
            "CUDA initialization: The NVIDIA driver on your system is too old (found version "
            "11040). Please update your GPU driver by downloading (Triggered internally at x.cpp)",
            stacklevel=2,
        )
        return False

    monkeypatch.setattr(torch.cuda, "is_available", complain)
    reason = r"\(The NVIDIA driver on your system is too old \(found version 11040\)\)"
    assert re.match(f"no GPU found {reason}; ", resolve_device("auto").reason)
    with pytest.raises(UsageError, match=f"no CUDA GPU is usable here {reason}; use"):
        resolve_device("cuda")


@pytest.mark.usefixtures("two_gpus")
def test_auto_takes_the_first_gpu_and_names_it() -> None:
    chosen = resolve_device("auto")
    assert chosen.torch_device == torch.device("cuda:0")
    assert "Test GPU" in chosen.reason


@pytest.mark.parametrize("request_", ["gpu", "cpu:0", "cuda:x", "cuda:-1", "mps:0", "", "CUDA"])
def test_an_unknown_device_is_refused_with_the_choices(request_: str) -> None:
    with pytest.raises(UsageError, match=r"unknown; choose auto, cpu, cuda, cuda:N or mps"):
        resolve_device(request_)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("request_", ["cuda", "cuda:0", "mps"])
def test_an_absent_device_is_refused_rather_than_replaced(request_: str) -> None:
    with pytest.raises(UsageError, match=f"--device {request_}: .*use --device auto"):
        resolve_device(request_)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_that_is_not_there_is_refused_with_those_that_are() -> None:
    assert resolve_device("cuda:1").torch_device == torch.device("cuda:1")
    with pytest.raises(UsageError, match="GPUs 0 to 1"):
        resolve_device("cuda:99")


@pytest.mark.parametrize(("unit", "name"), [("AMX", "bfloat16"), (None, "float32")])
def test_auto_precision_is_bfloat16_where_the_cpu_multiplies_it_and_else_float32(
    monkeypatch: pytest.MonkeyPatch, cpu: Device, unit: str | None, name: str
) -> None:
    monkeypatch.setattr(device_module, "_cpu_bfloat16_unit", lambda: unit)
    chosen = resolve_precision("auto", cpu)
    assert chosen.name == name
    assert chosen.reason == (f"the CPU has {unit}" if unit else "the CPU has no bfloat16 units")


@pytest.mark.parametrize(
    ("found", "unit"),
    [
        ({}, None),
        (CPU_CAPABILITIES, None),
        (CPU_CAPABILITIES | {"avx512_bf16": True}, "AVX512-BF16"),
        (CPU_CAPABILITIES | {"avx512_bf16": True, "amx_bf16": True}, "AMX"),
    ],
)
def test_the_cpus_bfloat16_unit_is_read_from_its_capabilities(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], unit: str | None
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert device_module._cpu_bfloat16_unit() == unit


CPUINFO = """processor\t: 0
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC

processor\t: 1
model name\t: another
"""


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (CPUINFO, "AMD EPYC (family 25, model 17), AVX512-BF16"),
        ("model name : Cortex\n", "Cortex, AVX512-BF16"),
        ("", "some machine, AVX512-BF16"),
    ],
)
def test_a_processor_is_named_by_model_and_unit_and_else_as_the_system_does(
    monkeypatch: pytest.MonkeyPatch, cpu: Device, cpuinfo: str, name: str
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: cpuinfo)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "some machine")
    monkeypatch.setattr(device_module, "_cpu_bfloat16_unit", lambda: "AVX512-BF16")
    assert processor_name(cpu) == name
    monkeypatch.setattr(device_module, "_cpu_bfloat16_unit", lambda: None)
    for capability, ending in (("AVX2", ", AVX2"), ("DEFAULT", "")):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)  # noqa: B023
        assert processor_name(cpu) == name.replace(", AVX512-BF16", ending)


@pytest.mark.parametrize(
    ("capability", "name"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_auto_precision_is_bfloat16_on_gpus_from_ampere_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], name: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_precision("auto", Device(torch.device("cuda:0"), "")).name == name


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_configured_precision_is_taken_as_it_is(cpu: Device, name: str) -> None:
    assert resolve_precision(name, cpu).name == name  # type: ignore[arg-type]


def test_bfloat16_is_refused_on_an_apple_gpu() -> None:
    with pytest.raises(UsageError, match="not supported on mps"):
        resolve_precision("bfloat16", Device(torch.device("mps"), ""))


def test_autocast_computes_in_bfloat16_and_returns_float32(cpu: Device) -> None:
    linear = torch.nn.Linear(64, 3)
    inputs = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    rounded = with_autocast(linear, cpu, Precision(torch.bfloat16, ""))(inputs)
    exact = with_autocast(linear, cpu, Precision(torch.float32, ""))(inputs)
    assert rounded.dtype == exact.dtype == torch.float32
    assert torch.equal(exact, linear(inputs))
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0.02)


FLUSH = """
import torch
from cnn_train.machine.device import flushed_denormals

def halves():
    tiny = torch.full((1 << 20,), 71362, dtype=torch.int32).view(torch.float32)  # 1e-40
    return [bool(half.any()) for half in (tiny * 0.5).view(torch.int32).chunk(2)]

torch.set_num_threads(2)
with flushed_denormals():
    print(halves())
print(halves()[0])
"""


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot flush")
def test_denormal_numbers_are_zero_in_all_of_torchs_threads_and_afterwards_not_in_ours() -> None:
    """In a process of its own: here, torch's threads have started long ago."""
    ended = subprocess.run(
        [sys.executable, "-c", FLUSH], capture_output=True, text=True, timeout=300, check=True
    )
    assert ended.stdout.splitlines() == ["[False, False]", "True"]
