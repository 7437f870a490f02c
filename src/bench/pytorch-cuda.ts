/** The same stacks in PyTorch, where a Python has it with CUDA. */
import { spawnSync } from 'node:child_process';
import type { CudaWorkload } from './cuda-suite.js';

/** Milliseconds of forward and backward of each stack, by the place in the list it was asked with; null: it failed. */
export interface PyTorchTimes {
  version: string;
  steps: (number | null)[];
}

// Medians between events, after a warm-up; one stack's failure leaves the others.
const PROGRAM = `
import json, statistics, sys
import torch
if not torch.cuda.is_available():
    sys.exit(3)
def step_of(w):
    half = {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(w["precision"], torch.float32)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = w["precision"] == "tf32"
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}.get(w["cell"], torch.nn.RNN)
    model = kind(w["hidden"], w["hidden"], w["layers"]).to("cuda", half)
    x = torch.randn(w["steps"], w["batch"], w["hidden"], device="cuda", dtype=half, requires_grad=True)
    dy = torch.randn(w["steps"], w["batch"], w["hidden"], device="cuda", dtype=half)
    def step():
        model.zero_grad(set_to_none=True)
        x.grad = None
        model(x)[0].backward(dy)
    for _ in range(5):
        step()
    times = []
    for _ in range(20):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        step()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)
steps = []
for w in json.load(sys.stdin):
    try:
        steps.append(step_of(w))
    except Exception as error:
        print(error, file=sys.stderr)
        steps.append(None)
print(json.dumps({"version": torch.__version__, "steps": steps}))
`;

/** Times the workloads, or says why not. */
export function timePyTorch(workloads: readonly CudaWorkload[], seconds: number): PyTorchTimes | string {
  const python = process.env.DEEP_RNN_PYTHON || 'python3';
  const { status, stdout, stderr, error } = spawnSync(python, ['-c', PROGRAM], {
    input: JSON.stringify(workloads),
    encoding: 'utf8',
    timeout: seconds * 1000,
  });
  if (error) return `${python}: ${error.message}`;
  if (status === 3) return `the PyTorch of ${python} finds no GPU`;
  if (status !== 0) return `${python}: ${stderr.trimEnd().split('\n').at(-1)}`;
  return JSON.parse(stdout) as PyTorchTimes;
}
