"""`make caller-key NAME=who`: a new key for AUTH_MODE=keys, shown once, and its entry for CALLER_KEYS."""

import re
import sys

from shared.config.caller_keys import make_caller_key


def main(name: str) -> int:
    """Prints both. Only the entry, which holds the key's SHA-256, belongs into a setting."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        print("NAME is missing or odd; expected 1 to 64 letters, digits, dots, dashes: make caller-key NAME=alice")
        return 2
    key, entry = make_caller_key(name)
    print(f"Give this key to {name}; it is not stored anywhere:\n\n  {key}\n\nAdd this to CALLER_KEYS:\n\n  {entry}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
