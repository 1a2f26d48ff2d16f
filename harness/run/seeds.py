"""The seeds of a series, derived from one secret."""

import hashlib
import secrets

from harness.records import SeedPair


def _derived(secret: bytes, index: int, purpose: str, bits: int) -> int:
    """A number derived from a secret, so that one commitment covers a whole series."""
    digest = hashlib.sha256(secret + f"|{index}|{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - bits)


def draw_seeds(secret: bytes, index: int) -> SeedPair:
    """The seeds of run `index` of a series whose secret the harness drew."""
    return SeedPair(
        session=_derived(secret, index, "session", 31),
        instance=_derived(secret, index, "instance", 53),
        source="harness",
        commitment=hashlib.sha256(secret).hexdigest(),
        secret=secret.hex(),
        index=index,
    )


def declared_seeds(value: int) -> SeedPair:
    """The seeds of a run whose seed a person chose: repeatable, and not eligible for prizes."""
    seeds = draw_seeds(f"declared {value}".encode(), 0)
    return seeds.model_copy(update={"session": value, "source": "declared"})


def turn_order(seeds: SeedPair, count: int) -> list[int]:
    """Return the order in which interleaved entries run on one seed, as indices below `count`.

    It is drawn from the secret like the seeds: it cannot be chosen, and it can be computed again
    once the secret is published.
    """
    index = seeds.session if seeds.source == "declared" else seeds.index
    turns = list(range(count))
    for last in range(count - 1, 0, -1):
        purpose, bits = ("order", 1) if last == 1 else (f"order-{last}", 53)
        draw = _derived(bytes.fromhex(seeds.secret), index, purpose, bits)
        other = last - draw % (last + 1)
        turns[last], turns[other] = turns[other], turns[last]
    return turns


def new_secret() -> bytes:
    """128 random bits from the kernel."""
    return secrets.token_bytes(16)
