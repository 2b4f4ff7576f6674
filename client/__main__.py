"""Entry point of `python -m client`, and of `stream-chat`, where the client is installed."""

import sys


def main() -> int:
    """Return the exit status."""
    try:
        from client.terminal import main as run

        return run()
    except KeyboardInterrupt:  # pressed during the import
        return 130
    except ModuleNotFoundError as error:
        if (error.name or "client").partition(".")[0] == "client":
            raise
        print(
            f"The package {error.name} is missing: `make client` installs it, or pip install -r client/requirements.txt",
            file=sys.stderr,
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
