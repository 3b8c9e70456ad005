import os
import signal

import pytest

from cnn_train.cli.process.stop_signal import ended_by_sigterm, heard_signals, save_signal_harmless
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


def test_a_request_to_save_is_granted_once_and_the_clocks_whenever_it_is_due(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with heard_signals() as heard:
        assert not heard.should_save(False)
        assert heard.should_save(True)
        signal.raise_signal(signal.SIGUSR1)
        assert heard.should_save(False)
        assert not heard.should_save(False)
        assert not heard.should_stop()
    assert "saving after this minibatch" in capsys.readouterr().err


def test_a_request_to_save_counts_when_all_processes_have_agreed() -> None:
    agreed = iter([0, 1, 0])
    with heard_signals(agree_to_save=lambda heard: next(agreed)) as heard:
        signal.raise_signal(signal.SIGUSR1)
        assert [heard.should_save(False) for _ in range(3)] == [False, True, False]


def test_before_training_a_request_to_save_does_nothing() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with save_signal_harmless():
        os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) == before


def test_sigterm_ends_what_has_nothing_to_save_and_a_second_one_does_not_wait() -> None:
    before = signal.getsignal(signal.SIGTERM)
    closed = []

    def work() -> None:
        with ended_by_sigterm():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                closed.append(signal.getsignal(signal.SIGTERM))

    with pytest.raises(SystemExit) as end:
        work()
    assert end.value.code == 143
    assert closed == [signal.SIG_DFL]
    assert signal.getsignal(signal.SIGTERM) == before
