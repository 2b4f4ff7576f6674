"""Entry point of `python -m client`, and of `stream-chat`, where the client is installed."""

import sys


def main() -> int:
    """Return the exit status."""
    try:
        from client.terminal import main as run

        return run()
    except KeyboardInterrupt:  # pressed during the import
        return 130


if __name__ == "__main__":
    sys.exit(main())
