"""The workloads of src/bench/workload.ts in PyTorch: `pytorch.py <eager, padded or compile> <threads>`; serve.py says how it is driven."""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from serve import Run, serve
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

IGNORED = -100
MODE, THREADS = sys.argv[1], int(sys.argv[2])
CACHE = Path(os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{tempfile.gettempdir()}/deep-rnn-bench-inductor"))


def stack_of(case: dict, inputs: int) -> nn.Module:
    options = {"num_layers": case["layers"], "bidirectional": case["bidirectional"]}
    if case["cell"] == "lstm":
        return nn.LSTM(inputs, case["hidden"], proj_size=case["projection"], **options)
    if case["cell"] == "gru":
        return nn.GRU(inputs, case["hidden"], **options)
    return nn.RNN(inputs, case["hidden"], nonlinearity=case["cell"][3:].lower(), **options)


def head_of(case: dict) -> nn.Linear:
    return nn.Linear((case["projection"] or case["hidden"]) * (2 if case["bidirectional"] else 1), case["vocabulary"])


def maybe_compiled(function):
    """In mode compile with the recurrent layers unrolled; they are passed by otherwise, and oneDNN's fail in the compiler."""
    if MODE != "compile":
        return function
    torch._dynamo.reset()
    # A compiler that was stopped leaves empty libraries, which PyTorch would try to load.
    for library in CACHE.rglob("*.so"):
        if library.stat().st_size == 0:
            library.unlink()
    torch._dynamo.config.allow_rnn = True
    inner = torch.compile(function)

    def outer(*arguments):
        with torch.backends.mkldnn.flags(enabled=False):
            return inner(*arguments)

    return outer


def rounding(case: dict):
    """The context in which products take operands of the case's precision."""
    return torch.autocast("cpu", torch.bfloat16, enabled=case["precision"] == "bfloat16")


def training(case: dict) -> Run:
    T, B, V = case["steps"], case["batch"], case["vocabulary"]
    rnn, head = stack_of(case, V), head_of(case)
    parameters = list(rnn.parameters()) + list(head.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    x, y = torch.randint(0, V, (T, B)), torch.randint(0, V, (T, B))
    lengths = torch.tensor(case["lengths"]) if "lengths" in case else None
    if lengths is not None:
        y[torch.arange(T)[:, None] >= lengths] = IGNORED
    packed = lengths is not None and MODE == "eager"

    def loss_of(x, y):
        inputs = F.one_hot(x, V).float()
        if packed:
            inputs = pack_padded_sequence(inputs, lengths, enforce_sorted=False)
        output, _ = rnn(inputs)
        if packed:
            output, _ = pad_packed_sequence(output, total_length=T)
        return F.cross_entropy(head(output).reshape(T * B, V), y.reshape(-1), ignore_index=IGNORED)

    loss_of = maybe_compiled(loss_of)

    def run(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            with rounding(case):
                loss = loss_of(x, y)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            loss.item()

    return run


def stack(case: dict) -> Run:
    rnn = stack_of(case, case["hidden"])
    x = torch.randn(case["steps"], case["batch"], case["hidden"], requires_grad=True)
    total_of = maybe_compiled(lambda x: rnn(x)[0].sum())

    def run(count: int) -> None:
        for _ in range(count):
            rnn.zero_grad()
            x.grad = None
            with rounding(case):
                total = total_of(x)
            total.backward()
            total.item()

    return run


def generation(case: dict) -> Run:
    """D2L's predict: one character at a time, each the likeliest."""
    V = case["vocabulary"]
    rnn, head = stack_of(case, V).eval(), head_of(case).eval()

    def next_of(token, state):
        output, state = rnn(F.one_hot(token, V).float(), state)
        return head(output.reshape(1, -1)).argmax(dim=1), state

    next_of = maybe_compiled(next_of)

    @torch.no_grad()
    def run(count: int) -> None:
        state = tuple(torch.zeros(case["layers"], 1, case["hidden"]) for _ in range(2))
        state = state if case["cell"] == "lstm" else state[0]
        token = 1
        for _ in range(count):
            with rounding(case):
                likeliest, state = next_of(torch.tensor([[token]]), state)
            token = int(likeliest)

    return run


# They are about fallbacks and absent devices, and would come between the rows of the table.
warnings.simplefilter("ignore")
torch.set_num_threads(THREADS)
torch.manual_seed(0)
TASKS = {"train": training, "stack": stack, "generate": generation}
serve(torch.__version__, lambda case: TASKS[case["task"]](case))
