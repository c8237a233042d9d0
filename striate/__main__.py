"""``python -m striate`` is ``striate``."""

import signal


def main() -> None:
    """Open the door and go in. Until it is open nothing can be lost, and Ctrl-C ends the process at once."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from striate.cli import main as enter

    signal.signal(signal.SIGINT, before)
    enter()


if __name__ == "__main__":
    main()
