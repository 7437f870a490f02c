"""The training step of bench/cases.ts in PyTorch, driven over standard input by bench/peers.ts.

First line in: the case as JSON. Then each line `N` runs N steps and answers the seconds they took as JSON.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def main() -> None:
    case = json.loads(sys.stdin.readline())
    torch.set_num_threads(case["threads"])
    torch.manual_seed(0)
    T, B, V = case["steps"], case["batch"], case["vocabulary"]
    kinds = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
    rnn = kinds[case["cell"]](V, case["hidden"], case["layers"], bidirectional=case["bidirectional"])
    head = nn.Linear(case["hidden"] * (2 if case["bidirectional"] else 1), V)
    parameters = list(rnn.parameters()) + list(head.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    x = torch.randint(0, V, (T, B))
    y = torch.randint(0, V, (T * B,))

    def step() -> float:
        optimizer.zero_grad()
        output, _ = rnn(F.one_hot(x, V).float())
        loss = F.cross_entropy(head(output).reshape(T * B, V), y)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss.item()

    for _ in range(3):
        step()
    print(json.dumps({"name": f"PyTorch {torch.__version__} eager float32"}), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        print(json.dumps(time.perf_counter() - start), flush=True)


main()
