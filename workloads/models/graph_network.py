"""A graph network (Battaglia et al., 2018) on molecules, as AlgoPerf's workload ogbg has it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

NO_ATOM, NO_BOND = 255, 255
ATOM_FEATURES, BOND_FEATURES = 9, 3
ROUNDS = 5
DROPOUT = 0.1
PARTS = ("atoms", "ends", "bonds")
"""Arrays of a split, in the order in which `Batch` takes them."""
ROWS_AT_ONCE = 512


def _update(inputs: int, width: int) -> nn.Sequential:
    """A layer that is normalised, cut off at 0 and thinned out."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.LayerNorm(width), nn.ReLU(), nn.Dropout(DROPOUT)
    )


class _Round(nn.Module):
    """Bonds learn from their ends, atoms from their bonds, the molecule from all."""

    def __init__(self, width: int, whole: int, wholes: int) -> None:
        super().__init__()
        self.bonds = _update(3 * width + whole, width)
        self.atoms = _update(3 * width + whole, width)
        self.whole = _update(2 * width + whole, wholes)


class Batch:
    """Molecules as one graph: what pads them is gone, each bond stands there both ways."""

    def __init__(self, atoms: Tensor, ends: Tensor, bonds: Tensor) -> None:
        """Padded rows as the data have them: see `workloads.data.molecules.read`."""
        self.size = len(atoms)
        there = atoms[..., 0] != NO_ATOM
        joined = bonds[..., 0] != NO_BOND
        counts = there.sum(dim=1)
        first = torch.cumsum(counts, dim=0) - counts
        self.atoms = atoms[there].float()
        self.molecule = torch.repeat_interleave(
            torch.arange(self.size, device=atoms.device), counts
        )
        pairs = (ends.long() + first[:, None, None])[joined]
        self.sender = torch.cat([pairs[:, 0], pairs[:, 1]])
        self.receiver = torch.cat([pairs[:, 1], pairs[:, 0]])
        self.bonds = bonds[joined].float().repeat(2, 1)

    @property
    def bond_molecule(self) -> Tensor:
        """The molecule of each bond."""
        return self.molecule[self.sender]


def summed(rows: Tensor, place: Tensor, places: int) -> Tensor:
    """Sum of the rows that have each place, (places, width)."""
    return rows.new_zeros(places, rows.shape[1]).index_add(0, place, rows)


class GraphNetwork(nn.Module):
    """Five rounds of messages over a molecule's atoms and bonds, then one score for each assay."""

    def __init__(self, *, width: int, assays: int) -> None:
        super().__init__()
        self.assays = assays
        self.atoms = nn.Linear(ATOM_FEATURES, width)
        self.bonds = nn.Linear(BOND_FEATURES, width)
        wholes = [assays] + [width] * (ROUNDS - 1)
        self.rounds = nn.ModuleList(_Round(width, whole, width) for whole in wholes)
        self.head = nn.Linear(width, assays)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, batch: Batch) -> Tensor:
        """Molecules to scores (molecules, assays)."""
        atoms, bonds = self.atoms(batch.atoms), self.bonds(batch.bonds)
        whole = atoms.new_zeros(batch.size, self.assays)
        of_bond, count = batch.bond_molecule, len(atoms)
        for item in self.rounds:
            assert isinstance(item, _Round)
            ends = [atoms[batch.sender], atoms[batch.receiver]]
            bonds = item.bonds(torch.cat([bonds, *ends, whole[of_bond]], dim=1))
            sent = [summed(bonds, place, count) for place in (batch.sender, batch.receiver)]
            atoms = item.atoms(torch.cat([atoms, *sent, whole[batch.molecule]], dim=1))
            sums = [summed(atoms, batch.molecule, batch.size), summed(bonds, of_bond, batch.size)]
            whole = item.whole(torch.cat([*sums, whole], dim=1))
        scores: Tensor = self.head(whole)
        return scores


def molecule_scores(model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    """Scores (molecules, assays) of padded rows, some at a time."""
    pieces = zip(*(inputs[name].split(ROWS_AT_ONCE) for name in PARTS), strict=True)
    return torch.cat([model(Batch(*piece)) for piece in pieces])
