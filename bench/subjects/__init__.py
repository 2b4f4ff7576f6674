"""The function apps that this one is measured beside: what somebody would write instead."""
