"""`make caller-key NAME=who`: create a key for AUTH_MODE=keys, printed once, and its entry for CALLER_KEYS."""

import re
import sys

from shared.config.caller_keys import make_caller_key


def main(name: str) -> int:
    """Print the key and its entry. Only the entry, which has the key's SHA-256, belongs in a setting."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        print(
            "NAME is missing or invalid; expected 1 to 64 characters of A-Z a-z 0-9 . _ -: make caller-key NAME=alice"
        )
        return 2
    key, entry = make_caller_key(name)
    print(f"Give this key to {name}; it is not stored anywhere:\n\n  {key}\n\nAdd this to CALLER_KEYS:\n\n  {entry}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
