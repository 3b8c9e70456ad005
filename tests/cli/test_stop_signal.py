import signal

import pytest

from cnn_train.cli.stop_signal import heard_signals
from cnn_train.errors import InterruptedRun


def test_the_first_signal_asks_and_the_second_interrupts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with heard_signals() as heard:
        assert not heard.should_stop()
        signal.raise_signal(signal.SIGINT)
        assert heard.should_stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert "stopping after this minibatch" in capsys.readouterr().err


@pytest.mark.parametrize(("signum", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_exits_as_programs_do_that_the_signal_ends(
    signum: int, exit_code: int
) -> None:
    def run() -> None:
        with heard_signals() as heard:
            signal.raise_signal(signum)
            assert heard.should_stop()
            raise InterruptedRun("stopped")

    with pytest.raises(InterruptedRun) as stopped:
        run()
    assert stopped.value.exit_code == exit_code
    assert InterruptedRun.exit_code == 130


def test_the_handlers_before_are_put_back_even_after_an_error() -> None:
    before = [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ZeroDivisionError), heard_signals():
        raise ZeroDivisionError
    assert [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)] == before
