"""`python -m client`."""

import sys

from client.terminal import main

sys.exit(main())
