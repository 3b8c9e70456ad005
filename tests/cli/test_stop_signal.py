import signal

import pytest

from cnn_train.cli.stop_signal import stop_on_signal
from cnn_train.errors import InterruptedRun


def test_the_first_signal_asks_and_the_second_interrupts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with stop_on_signal() as should_stop:
        assert not should_stop()
        signal.raise_signal(signal.SIGINT)
        assert should_stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert "stopping after this minibatch" in capsys.readouterr().err


@pytest.mark.parametrize(("signum", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_exits_as_programs_do_that_the_signal_ends(
    signum: int, exit_code: int
) -> None:
    def run() -> None:
        with stop_on_signal() as should_stop:
            signal.raise_signal(signum)
            assert should_stop()
            raise InterruptedRun("stopped")

    with pytest.raises(InterruptedRun) as stopped:
        run()
    assert stopped.value.exit_code == exit_code
    assert InterruptedRun.exit_code == 130


def test_the_handlers_before_are_put_back_even_after_an_error() -> None:
    before = [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ZeroDivisionError), stop_on_signal():
        raise ZeroDivisionError
    assert [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)] == before
