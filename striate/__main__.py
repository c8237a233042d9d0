"""``python -m striate`` is ``striate``."""

import signal


def main() -> None:
    """Open the door and go in. Before it is open and once it is closed, a signal ends the process."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from striate.cli import main as enter

    signal.signal(signal.SIGINT, before)
    try:
        enter()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main()
