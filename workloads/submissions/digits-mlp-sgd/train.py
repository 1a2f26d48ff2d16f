"""Plain stochastic gradient descent: one constant rate, no momentum, no decay."""

import torch
from torch import optim
from torch.nn import functional

from harness.api import Session

EPOCHS = 60
BATCH_SIZE = 32
LEARNING_RATE = 0.5


def train(session: Session) -> None:
    """Train for a fixed number of epochs; hand over weights after each one that may count."""
    torch.manual_seed(session.seed)
    model = session.workload.model()
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)
    epoch_steps = -(-len(session.train["y"]) // BATCH_SIZE)
    steps = EPOCHS * epoch_steps
    for step, batch in enumerate(session.batches("train", BATCH_SIZE, EPOCHS), start=1):
        scores = model(torch.from_numpy(batch["x"]))
        truth = torch.from_numpy(batch["y"])
        loss = functional.cross_entropy(scores, truth, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == steps or (step % epoch_steps == 0 and session.snapshot_due()):
            session.snapshot(model, step=step)
