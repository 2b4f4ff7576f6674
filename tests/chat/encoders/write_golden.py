"""Write the golden files anew: `python -m tests.chat.encoders.write_golden`. Read the difference before you commit it."""

from shared.chat.encoders import FORMATS
from tests.chat.encoders.samples import ANSWER, GOLDEN, new_encoder, write, write_failed

for name in FORMATS:
    (GOLDEN / f"{name}.finished").write_bytes(write(new_encoder(name), ANSWER))
    (GOLDEN / f"{name}.failed").write_bytes(write_failed(new_encoder(name)))
