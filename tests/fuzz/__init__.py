"""`make fuzz`: hostile requests, upstreams, identity replies and settings, each of them a case that replays."""
