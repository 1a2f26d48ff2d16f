"""The graph against scikit-learn's neighbours and a dense product."""

import numpy as np
import torch
from sklearn.neighbors import kneighbors_graph

from workloads.data.digit_graph import NEIGHBOURS, adjacency, digit_graph_splits, normalised
from workloads.data.digits import digits
from workloads.models.graph import NeighbourhoodGCN


def test_adjacency_is_the_symmetrised_neighbour_graph_of_scikit_learn() -> None:
    """But for ties: pixels are whole numbers, so many neighbours are equally far."""
    images = digits()[0].astype(np.float64)
    peer = kneighbors_graph(images, NEIGHBOURS, mode="distance").toarray()
    farthest = peer.max(axis=1)
    mine = adjacency(digits()[0], NEIGHBOURS)
    differing = np.argwhere(mine != ((peer > 0) | (peer > 0).T | np.eye(len(images), dtype=bool)))
    assert len(differing) < 0.01 * mine.sum()
    for a, b in differing:
        distance = np.linalg.norm(images[a] - images[b])
        assert np.isclose(distance, [farthest[a], farthest[b]]).any()
    assert np.array_equal(mine, mine.T)
    assert mine.sum(axis=1).min() > NEIGHBOURS


def test_normalisation_leaves_the_root_of_the_degrees_alone() -> None:
    joined = adjacency(digits()[0][:200], 5)
    roots = np.sqrt(joined.sum(axis=1))
    assert np.allclose(normalised(joined) @ roots, roots, rtol=1e-5)


def test_rows_score_as_the_dense_graph_does() -> None:
    images = digits()[0]
    smooth = torch.from_numpy(normalised(adjacency(images, NEIGHBOURS)))
    torch.manual_seed(0)
    model = NeighbourhoodGCN(64, 64, 10).eval()
    with torch.no_grad():
        hidden = model.first(smooth @ torch.tensor(images))
        whole = model.second(smooth @ hidden).numpy()
        splits = digit_graph_splits()
        x, weight = (torch.from_numpy(splits.test_inputs[name]) for name in ("x", "weight"))
        rows = model(x, weight).numpy()
    for row in rows[::97]:
        assert np.abs(whole - row).max(axis=1).min() < 1e-4


def test_nodes_are_shared_out_by_class_and_none_is_lost() -> None:
    splits = digit_graph_splits()
    assert np.ptp(np.bincount(splits.train["y"])) <= 1
    assert np.ptp(np.bincount(splits.validation["y"])) <= 1
    counts = [len(part["y"]) for part in (splits.train, splits.validation, splits.test_labels)]
    assert counts == [100, 50, 1647]
    every = np.concatenate([splits.train["y"], splits.validation["y"], splits.test_labels["y"]])
    assert np.array_equal(np.bincount(every), np.bincount(digits()[1]))


def test_model_has_the_published_count_of_parameters() -> None:
    assert (
        sum(parameter.numel() for parameter in NeighbourhoodGCN(64, 64, 10).parameters()) == 4_810
    )
