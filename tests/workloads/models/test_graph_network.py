"""The graph network: padding, order and neighbours in a batch have no say; bonds do."""

import numpy as np
import pytest
import torch

from workloads.data.molecules import ATOM_FEATURES, BOND_FEATURES, NO_ATOM, NO_BOND
from workloads.models import graph_network
from workloads.models.graph_network import Batch, GraphNetwork, molecule_scores, summed

Row = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def ring(size: int, atoms_most: int, bonds_most: int, seed: int = 0) -> Row:
    """One molecule, padded."""
    generator = torch.Generator().manual_seed(seed)
    atoms = torch.full((1, atoms_most, 9), NO_ATOM, dtype=torch.uint8)
    atoms[0, :size] = torch.randint(0, 9, (size, 9), generator=generator, dtype=torch.uint8)
    ends = torch.zeros((1, bonds_most, 2), dtype=torch.int16)
    ends[0, :size] = torch.tensor([[k, (k + 1) % size] for k in range(size)])
    bonds = torch.full((1, bonds_most, 3), NO_BOND, dtype=torch.uint8)
    bonds[0, :size] = torch.randint(0, 4, (size, 3), generator=generator, dtype=torch.uint8)
    return atoms, ends, bonds


@pytest.fixture
def net() -> GraphNetwork:
    torch.manual_seed(0)
    return GraphNetwork(width=16, assays=7).eval()


def test_constants_are_those_of_the_data() -> None:
    assert (graph_network.NO_ATOM, graph_network.NO_BOND) == (NO_ATOM, NO_BOND)
    assert graph_network.ATOM_FEATURES == ATOM_FEATURES
    assert graph_network.BOND_FEATURES == BOND_FEATURES


def test_others_in_the_batch_and_padding_have_no_say(net: GraphNetwork) -> None:
    rows = [ring(size, 6, 6, size) for size in (3, 6, 4)]
    together = net(Batch(*(torch.cat(parts) for parts in zip(*rows, strict=True))))
    assert together.shape == (3, 7)
    for size, row, scores in zip((3, 6, 4), rows, together, strict=True):
        assert torch.allclose(net(Batch(*row))[0], scores, atol=1e-4)
        assert torch.allclose(net(Batch(*ring(size, 9, 11, size)))[0], scores, atol=1e-4)


def test_the_order_of_atoms_and_bonds_has_no_say(net: GraphNetwork) -> None:
    atoms, ends, bonds = ring(5, 5, 5)
    order = torch.tensor([3, 0, 4, 1, 2])
    places = torch.argsort(order)
    shuffled = (atoms[:, order], places[ends.long()].to(torch.int16), bonds)
    turned = torch.tensor([4, 2, 0, 1, 3])
    again = (atoms, ends[:, turned].flip(2), bonds[:, turned])
    expected = net(Batch(atoms, ends, bonds))
    assert torch.allclose(net(Batch(*shuffled)), expected, atol=1e-4)
    assert torch.allclose(net(Batch(*again)), expected, atol=1e-4)


def test_bonds_have_a_say(net: GraphNetwork) -> None:
    atoms, ends, bonds = ring(5, 5, 5)
    other = ends.clone()
    other[0, 0] = torch.tensor([0, 2])
    assert not torch.allclose(net(Batch(atoms, ends, bonds)), net(Batch(atoms, other, bonds)))


def test_a_lone_atom_is_a_molecule(net: GraphNetwork) -> None:
    atoms, ends, bonds = ring(3, 3, 3)
    atoms[0, 1:], bonds[:] = NO_ATOM, NO_BOND
    assert bool(torch.isfinite(net(Batch(atoms, ends, bonds))).all())


def test_sums_are_by_place() -> None:
    rows = torch.tensor([[1.0], [2.0], [4.0]])
    assert summed(rows, torch.tensor([2, 0, 2]), 4).flatten().tolist() == [2, 0, 5, 0]


def test_pieces_make_the_same_scores(net: GraphNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [ring(size, 6, 6, size) for size in (3, 6, 4, 2, 5)]
    parts = [torch.cat(item) for item in zip(*rows, strict=True)]
    inputs = dict(zip(graph_network.PARTS, parts, strict=True))
    with torch.inference_mode():
        whole = molecule_scores(net, inputs)
        monkeypatch.setattr(graph_network, "ROWS_AT_ONCE", 2)
        np.testing.assert_allclose(molecule_scores(net, inputs), whole, atol=1e-4)
