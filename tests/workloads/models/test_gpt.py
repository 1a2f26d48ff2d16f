"""The transformer is the one of the recipe, and cannot see the future."""

import math

import pytest
import torch
from torch.nn import functional

from workloads.models.gpt import GPT, HEADS, Block


@pytest.fixture
def model() -> GPT:
    torch.manual_seed(0)
    return GPT(layers=1, width=64, context=32, symbols=8).eval()


def test_published_counts_of_parameters() -> None:
    def count(**sizes: int) -> int:
        return sum(parameter.numel() for parameter in GPT(**sizes).parameters())

    assert count(layers=1, width=64, context=32, symbols=8) == 53_184
    assert count(layers=2, width=64, context=32, symbols=84) == 112_896
    assert count(layers=2, width=64, context=22, symbols=44) == 107_136
    assert count(layers=3, width=96, context=64, symbols=84) == 357_984


def test_later_tokens_change_no_earlier_score(model: GPT) -> None:
    tokens = torch.randint(0, 8, (4, 32))
    changed = tokens.clone()
    changed[:, 20:] = (changed[:, 20:] + 1) % 8
    assert torch.allclose(model(tokens)[:, :20], model(changed)[:, :20], atol=1e-6)
    assert not torch.allclose(model(tokens)[:, 20:], model(changed)[:, 20:], atol=1e-3)


def test_prefixes_score_as_they_do_in_the_whole(model: GPT) -> None:
    tokens = torch.randint(0, 8, (4, 32))
    whole = model(tokens)
    for length in (1, 7, 32):
        assert torch.allclose(model(tokens[:, :length]), whole[:, :length], atol=1e-5)


def test_attention_is_that_of_torch() -> None:
    """The block's attention against torch's own module with the same weights."""
    block = Block(64)
    peer = torch.nn.MultiheadAttention(64, HEADS, batch_first=True)
    with torch.no_grad():
        peer.in_proj_weight.copy_(block.qkv.weight)
        peer.in_proj_bias.copy_(block.qkv.bias)
        peer.out_proj.load_state_dict(block.out.state_dict())
    x = torch.randn(2, 9, 64)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(9)
    expected = peer(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)[0]
    assert torch.allclose(block._attend(x), expected, atol=1e-5)


def test_untrained_model_knows_nothing(model: GPT) -> None:
    tokens = torch.randint(0, 8, (64, 33))
    loss = functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(8), abs=0.05)
