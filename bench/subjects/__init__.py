"""The function apps that this one is compared with."""
