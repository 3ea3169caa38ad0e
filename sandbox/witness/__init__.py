"""The witness: writes through the official client, remembers what was acknowledged, and judges a restored cluster."""
