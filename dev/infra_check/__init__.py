"""Checks of infra/ that need no Azure subscription: `make check-infra`. A development tool, never deployed."""
