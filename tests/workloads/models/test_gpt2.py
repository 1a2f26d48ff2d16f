"""GPT-2: size as published, causal, and one token more costs no other result."""

import math

import pytest
import torch

from workloads.models.gpt2 import GPT2


@pytest.fixture
def model() -> GPT2:
    torch.manual_seed(0)
    return GPT2(layers=2, width=16, heads=4, context=12, symbols=30).eval()


def test_the_small_one_has_the_published_size() -> None:
    with torch.device("meta"):
        model = GPT2(layers=12, width=768, heads=12, context=1024, symbols=50_257)
    assert sum(parameter.numel() for parameter in model.parameters()) == 124_439_808


def test_later_tokens_change_no_earlier_scores(model: GPT2) -> None:
    tokens = torch.randint(0, 30, (3, 12))
    changed = tokens.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 30
    first, second = model(tokens), model(changed)
    assert torch.allclose(first[:, :7], second[:, :7], atol=1e-6)
    assert not torch.allclose(first[:, 7:], second[:, 7:], atol=1e-3)


def test_going_on_by_one_token_gives_the_same_scores(model: GPT2) -> None:
    tokens = torch.randint(0, 30, (3, 12))
    wanted = model(tokens)
    for length in range(1, 13):
        result = model.next_scores(tokens[:, :length])
        assert torch.allclose(result, wanted[:, length - 1], atol=1e-5)


def test_another_text_is_begun_anew(model: GPT2) -> None:
    first, second = torch.randint(0, 30, (2, 3, 6))
    model.next_scores(first[:, :5])
    assert torch.allclose(model.next_scores(second), model(second)[:, -1], atol=1e-5)
    model.next_scores(first[:, :5])
    assert torch.allclose(model.next_scores(first[:2]), model(first[:2])[:, -1], atol=1e-5)


def test_nothing_that_was_seen_is_in_the_state(model: GPT2) -> None:
    before = set(model.state_dict())
    model.next_scores(torch.zeros(1, 3, dtype=torch.int64))
    assert set(model.state_dict()) == before
    assert not any("seen" in name or "past" in name for name in before)


def test_it_begins_near_the_uniform_distribution(model: GPT2) -> None:
    tokens, truth = torch.randint(0, 30, (2, 20, 12))
    loss = torch.nn.functional.cross_entropy(model(tokens).flatten(0, 1), truth.flatten())
    assert loss.item() == pytest.approx(math.log(30), abs=0.1)
