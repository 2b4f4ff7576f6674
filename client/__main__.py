"""Entry point of `python -m client`."""

import sys

try:
    from client.terminal import main

    status = main()
except KeyboardInterrupt:  # pressed during the import
    status = 130
sys.exit(status)
