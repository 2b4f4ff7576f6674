"""What takes a broken stream up again, in virtual time."""
