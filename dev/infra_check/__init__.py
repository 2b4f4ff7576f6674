"""What can be known about infra/ without Azure: `make check-infra`. A development tool, never deployed."""
