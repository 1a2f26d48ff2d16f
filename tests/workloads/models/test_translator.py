"""The translator: no byte sees those after it, padding has no say, and it learns to copy."""

import pytest
import torch
from torch.nn import functional

from workloads.models.translator import END, LENGTH, Translator


@pytest.fixture
def net() -> Translator:
    torch.manual_seed(0)
    return Translator(width=32, layers=2, heads=4)


def text(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 256, (rows, length), generator=generator, dtype=torch.uint8)


def test_no_byte_sees_those_after_it(net: Translator) -> None:
    source, written = text(2, 9), text(2, 12, 1)
    changed = written.clone()
    changed[:, 7:] = text(2, 5, 2)
    before, after = net(source, written), net(source, changed)
    assert before.shape == (2, 12, 256)
    assert torch.allclose(before[:, :7], after[:, :7], atol=1e-5)
    assert not torch.allclose(before[:, 7:], after[:, 7:], atol=1e-3)


def test_padding_has_no_say(net: Translator) -> None:
    source, written = text(2, 8), text(2, 5, 1)
    wide = functional.pad(source, (0, 13))
    assert torch.allclose(net(source, written), net(wide, written), atol=1e-5)
    assert torch.equal(net.translate(source), net.translate(wide))


def test_translation_is_what_the_whole_pass_finds_likeliest(net: Translator) -> None:
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    source = text(3, 11)
    with torch.inference_mode():
        result = net.translate(source)
        assert result.shape == (3, LENGTH)
        steps = 2 * 11 + 20
        begun = functional.pad(result[:, : steps - 1], (1, 0), value=END).to(torch.uint8)
        likeliest = net(source, begun).argmax(dim=2)
    for row, wanted in zip(result[:, :steps].long(), likeliest, strict=True):
        ended = (row == END).nonzero()
        last = int(ended[0]) + 1 if len(ended) else steps
        assert row[:last].tolist() == wanted[:last].tolist()
        assert not bool(row[last:].any()), "nothing is written after the end"


def test_an_empty_row_breaks_nothing(net: Translator) -> None:
    source = text(2, 8)
    source[1] = END
    assert bool(torch.isfinite(net.translate(source)).all())
    assert bool(torch.isfinite(net.translate(torch.zeros(1, 8, dtype=torch.uint8))).all())


def test_it_learns_to_name_the_first_byte(net: Translator) -> None:
    torch.set_num_threads(1)  # two, beside other work, wait for each other
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        source = torch.randint(1, 5, (32, 4), generator=generator, dtype=torch.uint8)
        begun = torch.zeros(32, 1, dtype=torch.uint8)
        loss = functional.cross_entropy(net(source, begun)[:, 0], source[:, 0].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source = torch.randint(1, 5, (64, 4), generator=generator, dtype=torch.uint8)
    result = net.translate(source)[:, 0]
    assert float((result == source[:, 0]).float().mean()) > 0.9, "chance is a quarter"
