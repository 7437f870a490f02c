"""The workloads of src/bench/workload.ts in PyTorch, driven over standard input by bench/peers.ts.

A first line out: the version. Then lines of JSON: {"open": workload with mode and threads} answers an id, {"run": id, "count": n}
the seconds that n runs took, {"close": id} nothing.
"""

import json
import sys
import time
import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

IGNORED = -100


def stack_of(case: dict, inputs: int) -> nn.Module:
    options = {"num_layers": case["layers"], "bidirectional": case["bidirectional"]}
    if case["cell"] == "lstm":
        return nn.LSTM(inputs, case["hidden"], proj_size=case["projection"], **options)
    if case["cell"] == "gru":
        return nn.GRU(inputs, case["hidden"], **options)
    return nn.RNN(inputs, case["hidden"], nonlinearity=case["cell"][3:].lower(), **options)


def head_of(case: dict) -> nn.Linear:
    return nn.Linear((case["projection"] or case["hidden"]) * (2 if case["bidirectional"] else 1), case["vocabulary"])


def compiled(function):
    """Compiled with the recurrent layers unrolled; they are passed by otherwise, and oneDNN's fail in the compiler."""
    torch._dynamo.config.allow_rnn = True
    inner = torch.compile(function)

    def outer(*arguments):
        with torch.backends.mkldnn.flags(enabled=False):
            return inner(*arguments)

    return outer


def rounding(case: dict):
    """The context in which products take operands of the case's precision."""
    return torch.autocast("cpu", torch.bfloat16, enabled=case["precision"] == "bfloat16")


def training(case: dict):
    T, B, V = case["steps"], case["batch"], case["vocabulary"]
    rnn, head = stack_of(case, V), head_of(case)
    parameters = list(rnn.parameters()) + list(head.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    x, y = torch.randint(0, V, (T, B)), torch.randint(0, V, (T, B))
    lengths = torch.tensor(case["lengths"]) if "lengths" in case else None
    if lengths is not None:
        y[torch.arange(T)[:, None] >= lengths] = IGNORED
    packed = lengths is not None and case["mode"] != "padded"

    def loss_of(x, y):
        inputs = F.one_hot(x, V).float()
        if packed:
            inputs = pack_padded_sequence(inputs, lengths, enforce_sorted=False)
        output, _ = rnn(inputs)
        if packed:
            output, _ = pad_packed_sequence(output, total_length=T)
        return F.cross_entropy(head(output).reshape(T * B, V), y.reshape(-1), ignore_index=IGNORED)

    if case["mode"] == "compile":
        loss_of = compiled(loss_of)

    def step() -> None:
        optimizer.zero_grad()
        with rounding(case):
            loss = loss_of(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        loss.item()

    def run(count: int) -> None:
        for _ in range(count):
            step()

    return run


def stack(case: dict):
    rnn = stack_of(case, case["hidden"])
    x = torch.randn(case["steps"], case["batch"], case["hidden"], requires_grad=True)

    def total_of(x):
        return rnn(x)[0].sum()

    if case["mode"] == "compile":
        total_of = compiled(total_of)

    def run(count: int) -> None:
        for _ in range(count):
            rnn.zero_grad()
            x.grad = None
            with rounding(case):
                total = total_of(x)
            total.backward()
            total.item()

    return run


def generation(case: dict):
    """D2L's predict: one character at a time, each the likeliest."""
    V = case["vocabulary"]
    rnn, head = stack_of(case, V).eval(), head_of(case).eval()

    @torch.no_grad()
    def run(count: int) -> None:
        token, state = torch.ones(1, 1, dtype=torch.long), None
        for _ in range(count):
            with rounding(case):
                output, state = rnn(F.one_hot(token, V).float(), state)
                logits = head(output.reshape(1, -1))
            token = torch.tensor([[int(logits.argmax(dim=1))]])

    return run


def main() -> None:
    # They are about fallbacks and absent devices, and would come between the rows of the table.
    warnings.simplefilter("ignore")
    tasks = {"train": training, "stack": stack, "generate": generation}
    opened: dict[int, tuple] = {}
    print(json.dumps(torch.__version__), flush=True)
    for number, line in enumerate(sys.stdin):
        question = json.loads(line)
        if "open" in question:
            case = question["open"]
            torch.manual_seed(0)
            opened[number] = (tasks[case["task"]](case), case["threads"])
            answer = number
        elif "close" in question:
            del opened[question["close"]]
            continue
        else:
            run, threads = opened[question["run"]]
            torch.set_num_threads(threads)
            start = time.perf_counter()
            run(question["count"])
            answer = time.perf_counter() - start
        print(json.dumps(answer), flush=True)


main()
