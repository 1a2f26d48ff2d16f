"""Prediction: `ready`, then `loaded` for `weights` and `outputs` for `predict`, until the end."""

import io
import os

import numpy as np
from wire import connect, features, read_array, receive, sealed, send

channel = connect()
weights = np.zeros(0)
send(channel, {"type": "ready", "protocol": 1, "runtime": "numpy"})
while True:
    word, fds = receive(channel)
    if word is None:
        break
    if word["type"] == "weights":
        blob = os.pread(fds[0], os.fstat(fds[0]).st_size, 0)
        os.close(fds[0])
        start = 8 + int.from_bytes(blob[:8], "little")
        weights = np.frombuffer(blob[start:], "f4").reshape(-1, 10)
        send(channel, {"type": "loaded", "id": word["id"]})
    else:
        inputs = {array["name"]: read_array(fds[array["index"]]) for array in word["inputs"]}
        file = io.BytesIO()
        np.save(file, (features(inputs["x"]) @ weights).astype("f4"))
        send(channel, {"type": "outputs", "id": word["id"]}, [sealed(file.getvalue())])
