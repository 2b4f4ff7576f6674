"""`python -m client`."""

import sys

try:
    from client.terminal import main

    status = main()
except KeyboardInterrupt:  # while it was still being imported
    status = 130
sys.exit(status)
