"""Writes the golden files anew: `python -m tests.chat.encoders.write_golden`. Read the difference before you commit it."""

from shared.chat.encoders import ENCODERS
from tests.chat.encoders.test_encoders import ANSWER, GOLDEN, write, write_failed

for name, new_encoder in ENCODERS.items():
    (GOLDEN / f"{name}.finished").write_bytes(write(new_encoder(), ANSWER))
    (GOLDEN / f"{name}.failed").write_bytes(write_failed(new_encoder()))
